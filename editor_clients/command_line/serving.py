"""`diffill serve`: other tools ask the engine, on loopback TCP and with a token."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from editor_clients.command_line.engines import ready_model
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.screen import Screen, counted

_MAX_PORT = 65535


def run(model: str | None, port: int, screen: Screen) -> Exit:
    """Open a port of the shared engine until interrupted, or until the engine is stopped."""
    if sys.platform == "win32":
        raise Stop(Exit.USAGE, "the shared engine needs Unix sockets: Windows has none for it")
    from engine.shared import SharedEngine

    token = _token(port)
    ready = ready_model(model, screen)

    async def serve() -> None:
        engine = SharedEngine(ready)
        try:
            await engine.listen(port, token, lambda port: _say_where(port, screen))
        finally:
            await engine.close()

    asyncio.run(serve())
    screen.say("the engine was stopped")
    return Exit.DONE


def run_on_ray(
    model: str | None, port: int, replicas: int | None, batch: int | None, screen: Screen
) -> Exit:
    """Serve by engines of its own, on Ray, until interrupted; then finish what is worked on."""
    from engine.config import AT_ONCE
    from engine.serving import cluster

    replicas, batch = replicas or 1, batch or AT_ONCE
    token = _token(port)
    make = cluster.maker_of(ready_model(model, screen), batch)
    screen.say(f"starting {counted(replicas, 'replica')}")
    try:
        wanted = cluster.Cluster(replicas=replicas, batch=batch, port=port, token=token)
        cluster.start(wanted, make)
        _say_where(port, screen)
        ends = {signal.SIGINT, signal.SIGTERM}
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        signal.sigwait(ends)
        screen.say("finishing what is worked on")
    finally:
        cluster.stop()
    return Exit.DONE


def _token(port: int) -> str:
    from engine.secret import own_token

    if port > _MAX_PORT:
        raise Stop(Exit.USAGE, f"port is {port}, not at most {_MAX_PORT}")
    return own_token()


def _say_where(port: int, screen: Screen) -> None:
    from engine.secret import TOKEN_VARIABLE, token_file

    where = TOKEN_VARIABLE if os.environ.get(TOKEN_VARIABLE) else token_file()
    screen.say(f"http://127.0.0.1:{port} answers whoever sends the token in {where}")
