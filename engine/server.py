"""The engine process: one for each user and model, on a Unix socket that only the user can reach.

It holds the lock of its place while it lives; so a socket that is found under the lock is a dead
engine's. Started by `engine.client` when it is needed, or by `diffill engine`.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import logging
import os
import socket
import struct
import sys
import time
from collections.abc import Callable
from functools import partial

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from engine.application import Application
from engine.config import Decoding
from engine.editors import at_once_of, open_editor
from engine.errors import ConfigError, EngineError, EngineUnavailable
from engine.place import Identity, Place, private, residence_of
from engine.scheduler import Load

log = logging.getLogger(__name__)

UNLOAD_S, EXIT_S = 600.0, 1800.0
# A predecessor that is about to exit still holds the lock, at most for so long.
CLAIM_S, CLAIM_PAUSE_S = 15.0, 0.05
BACKLOG = 256


def claim(place: Place) -> int | None:
    """Take the lock of a place; None if an engine is at home there.

    Raises:
        EngineUnavailable: if one holds the lock but does not answer.
    """
    lock = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + CLAIM_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            pass
        if _answers(place):
            os.close(lock)
            return None
        if time.monotonic() > until:
            pid = os.read(lock, 20).decode().strip()
            os.close(lock)
            raise EngineUnavailable(f"the engine of process {pid} does not answer: end it")
        time.sleep(CLAIM_PAUSE_S)


def _answers(place: Place) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(place.socket))
        except OSError:
            return False
        return True


def listen(place: Place) -> socket.socket:
    """Bind the socket of a place whose lock we hold, for this user alone."""
    place.socket.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    old = os.umask(0o177)
    try:
        listening.bind(str(place.socket))
    finally:
        os.umask(old)
    listening.listen(BACKLOG)
    return listening


class _OwnUserOnly(H11Protocol):
    """HTTP for the user who runs the engine; root could read its memory anyway."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Hang up on everybody else."""
        if _peer_uid(transport.get_extra_info("socket")) in (None, 0, os.getuid()):
            super().connection_made(transport)
        else:
            transport.abort()


def _peer_uid(connection: socket.socket) -> int | None:
    """Return who is at the other end, None where the system does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None  # the folder's mode keeps others out
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    return uid


class _Server(uvicorn.Server):
    """uvicorn, leaving its place before it says good-bye: who comes now starts another engine."""

    def __init__(self, config: uvicorn.Config, place: Place, application: Application) -> None:
        super().__init__(config)
        self._place, self._application = place, application

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End every answer, so that there is nothing to wait for."""
        self._place.socket.unlink(missing_ok=True)
        await self._application.close()
        await super().shutdown(sockets)


async def _serve(
    place: Place, listening: socket.socket, make: Callable[[], Application], exit_s: float
) -> None:
    application = make()
    config = uvicorn.Config(
        application.asgi,
        http=_OwnUserOnly,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )
    server = _Server(config, place, application)

    async def watch() -> None:
        while (idle_s := application.idle_s) < exit_s:
            try:
                await asyncio.wait_for(application.wants_to_stop.wait(), exit_s - idle_s)
                break
            except TimeoutError:
                continue
        server.should_exit = True

    watching = asyncio.create_task(watch())
    await server.serve(sockets=[listening])
    watching.cancel()


def run(
    place: Place,
    identity: Identity,
    load: Load,
    *,
    unload_s: float = UNLOAD_S,
    exit_s: float = EXIT_S,
    at_once: int = 1,
    detach: bool = False,
    on_listen: Callable[[], None] = lambda: None,
) -> bool:
    """Serve until stopped or idle for `exit_s`; False at once if another engine does already.

    With `detach` the caller's process exits as soon as clients can connect; a copy serves.

    Raises:
        EngineError: if nothing can listen at this place.
    """
    lock = claim(private(place))
    if lock is None:
        return False
    listening = listen(place)
    on_listen()
    if detach:
        _detach(place)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    make = partial(Application, identity, load, unload_s, at_once)
    asyncio.run(_serve(place, listening, make, exit_s))
    return True


def _detach(place: Place) -> None:
    """Go on in a child that no terminal and no parent can take along, its words in the log."""
    log_file = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDWR)
    if os.fork():
        os._exit(0)
    os.setsid()
    for target, source in ((0, nothing), (1, log_file), (2, log_file)):
        os.dup2(source, target)


def seconds(name: str, default: float) -> float:
    """Return a number of seconds from the environment.

    Raises:
        ConfigError: if it is none.
    """
    text = os.environ.get(name)
    try:
        value = float(text) if text else default
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise ConfigError(f"{name} is {text!r}, not a number of seconds above 0")
    return value


def run_model(
    model: str | None,
    *,
    decoding: Decoding | None = None,
    detach: bool = False,
    on_listen: Callable[[Place], None] = lambda place: None,
) -> bool:
    """Run the engine of a model (the default one for None); see `run`.

    Raises:
        EngineError: if there is no such model, or nothing can listen.
    """
    lives = residence_of(model)

    def load(report: Callable[[str, float], None]):
        return open_editor(lives.model, report, decoding=decoding)

    return run(
        lives.place,
        lives.identity,
        load,
        unload_s=seconds("DIFFILL_UNLOAD_S", UNLOAD_S),
        exit_s=seconds("DIFFILL_EXIT_S", EXIT_S),
        at_once=at_once_of(lives.model),
        detach=detach,
        on_listen=lambda: on_listen(lives.place),
    )


def main() -> int:
    """Run the engine process; see `engine.client.engine_command`."""
    parser = argparse.ArgumentParser(prog="diffill-engine", description=__doc__)
    parser.add_argument("--model", help="name in the catalogue or path of a GGUF file")
    parser.add_argument("--detach", action="store_true")
    args = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    try:
        run_model(args.model, detach=args.detach)
    except EngineError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
