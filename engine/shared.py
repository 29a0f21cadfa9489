"""The client's side of the resident engine: find it, or start it, and ask it. Torch-free."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.client import MAX_STARTS, START_WINDOW_S, EngineStatus, OnFrame, OnStatus
from engine.errors import EngineUnavailable, error_of_kind
from engine.folders import environment
from engine.pages import in_large_pages
from engine.place import Identity, Place, private, residence_of
from engine.protocol import EditRequest, EditResult, Frame
from engine.transport import Broken, Unreachable, exchange

log = logging.getLogger(__name__)

HELLO_TIMEOUT_S = 10.0
ENDED = "the engine ended unexpectedly; the next request starts it again"


@dataclass(frozen=True, slots=True)
class Home:
    """Where an engine is, who it should be, and what starts it."""

    place: Place
    identity: Identity
    command: Sequence[str]


def home_of(model: str | None) -> Home:
    """Return the home of the engine of a model.

    `-P` keeps the working directory (the user's project, perhaps with an `engine/` of its own)
    off the module path.

    Raises:
        EngineError: if there is no such model here, and no such remote.
    """
    lives = residence_of(model)
    command = [sys.executable, "-P", "-m", "engine.server", "--detach", "--model", lives.model]
    return Home(lives.place, lives.identity, command)


class SharedEngine:
    """The one engine of a model; whichever client needs it first starts it."""

    def __init__(
        self,
        model: str | None = None,
        *,
        home: Home | None = None,
        on_status: OnStatus | None = None,
    ) -> None:
        self._model, self._home, self._on_status = model, home, on_status
        self._id = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._starts: deque[float] = deque(maxlen=MAX_STARTS)
        self._connecting: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None

    async def edit(self, request: EditRequest, on_frame: OnFrame | None = None) -> EditResult:
        """Run one request; see `engine.client.EngineClient.edit`."""
        while True:
            home = await self._connected()
            listening = self._listening
            try:
                return await self._ask(home, request, on_frame)
            except Unreachable as error:
                # It left between our greeting and our asking: nothing was begun, so ask the next.
                log.info("the engine has left: %s", error)
                self._leave(listening)

    async def listen(self, port: int, token: str, on_open: Callable[[int], None]) -> None:
        """Let the engine answer other tools on loopback TCP, until it is stopped.

        `on_open` is told the port, again when the engine has died and another is there.

        Raises:
            EngineError: if the port cannot be had, or no engine.
        """
        body = json.dumps({"port": port, "token": token}).encode()
        while True:
            home = await self._connected()
            listening = self._listening
            try:
                async with (
                    exchange(home.place.socket, "POST", "/listen", body=body) as answer,
                    aclosing(answer.lines()) as lines,
                ):
                    async for line in lines:
                        message = json.loads(line)
                        if message["type"] == "error":
                            raise error_of_kind(message["kind"], message["message"])
                        on_open(message["port"])
                return
            except (Unreachable, Broken) as error:
                log.info("the engine has left: %s", error)
                self._leave(listening)

    def _leave(self, listening: asyncio.Task[None] | None) -> None:
        """Give up an engine that has left; others may be greeting its successor already."""
        if listening and self._listening is listening:
            self._listening = None
            listening.cancel()

    async def close(self) -> None:
        """Leave the engine to its other clients; it drops what this one still waits for."""
        tasks = [task for task in (self._connecting, self._listening) if task]
        self._connecting = self._listening = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, home: Home, request: EditRequest, on_frame: OnFrame | None) -> EditResult:
        body = json.dumps(request.to_json()).encode()
        try:
            async with (
                exchange(home.place.socket, "POST", "/edit", client=self._id, body=body) as answer,
                aclosing(answer.lines()) as lines,
            ):
                async for line in lines:
                    message: dict[str, Any] = json.loads(line)
                    match message["type"]:
                        case "frame":
                            if on_frame:
                                on_frame(Frame.from_json(message["frame"]))
                        case "result":
                            return EditResult.from_json(message["result"])
                        case "error":
                            raise error_of_kind(message["kind"], message["message"])
                        case other:
                            raise EngineUnavailable(f"the engine sent a message {other!r}")
        except (Broken, ValueError) as error:
            raise EngineUnavailable(ENDED) from error
        raise EngineUnavailable(ENDED)

    async def _connected(self) -> Home:
        if self._home is None:
            self._home = home_of(self._model)
        if self._listening is None or self._listening.done():
            if self._connecting is None or self._connecting.done():
                self._connecting = asyncio.create_task(self._connect(self._home))
            # Shielded: others may wait for the same engine.
            await asyncio.shield(self._connecting)
        return self._home

    async def _connect(self, home: Home) -> None:
        private(home.place)
        while not await self._greet(home):
            await self._start(home)

    async def _greet(self, home: Home) -> bool:
        """Say hello and listen to the status from now on; False if nobody is at home."""
        greeted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen(home, greeted))
        try:
            return await asyncio.wait_for(greeted, HELLO_TIMEOUT_S)
        except TimeoutError:
            raise EngineUnavailable(
                f"the engine did not answer within {HELLO_TIMEOUT_S:.0f} s: "
                "`diffill engine stop` ends it"
            ) from None

    async def _listen(self, home: Home, greeted: asyncio.Future[bool]) -> None:
        try:
            target = f"/hello?pid={os.getpid()}"
            async with (
                exchange(home.place.socket, "GET", target, client=self._id) as answer,
                aclosing(answer.lines()) as lines,
            ):
                hello = json.loads(await anext(lines))
                self._check(hello, home.identity)
                greeted.set_result(True)
                async for line in lines:
                    self._tell(json.loads(line))
        except (Unreachable, Broken, StopAsyncIteration):
            pass  # whoever asks next starts another
        except EngineUnavailable as error:
            if not greeted.done():
                greeted.set_exception(error)
        finally:
            if not greeted.done():
                greeted.set_result(False)

    def _check(self, hello: dict[str, Any], expected: Identity) -> None:
        for field, value in asdict(expected).items():
            if hello.get(field) != value:
                raise EngineUnavailable(
                    f"another engine is running: its {field} is {hello.get(field)}, not {value}; "
                    "`diffill engine stop` ends it"
                )

    def _tell(self, message: dict[str, Any]) -> None:
        if self._on_status:
            status = EngineStatus(message["state"], message["message"], message["fraction"])
            self._on_status(status)

    async def _start(self, home: Home) -> None:
        now = time.monotonic()
        if len(self._starts) == MAX_STARTS and now - self._starts[0] < START_WINDOW_S:
            raise EngineUnavailable(
                f"the engine stopped {MAX_STARTS} times within {START_WINDOW_S:.0f} s; "
                f"its messages are in {home.place.log}, `diffill doctor` may tell more"
            )
        self._starts.append(now)
        log.info("starting the engine: %s", home.command)
        try:
            process = await asyncio.create_subprocess_exec(
                *home.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                cwd=Path(__file__).parent,  # it opens no user file: it needs no user folder
                env=in_large_pages(environment()),
                start_new_session=True,  # a Ctrl-C at its start is for us alone
            )
            _, said = await process.communicate()
        except OSError as error:
            raise EngineUnavailable(f"the engine could not be started: {error}") from error
        if process.returncode:
            last = said.decode(errors="replace").strip().rpartition("\n")[2]
            raise EngineUnavailable(f"the engine could not be started: {last}")


async def ask_engines(folder: Path, method: str, target: str) -> AsyncGenerator[dict[str, Any]]:
    """Ask every engine in a folder the same, and yield the answers of those that live."""
    for socket in sorted(folder.glob("*.sock")):
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S), exchange(socket, method, target) as answer:
                yield json.loads(await answer.body())
        except (Unreachable, Broken, TimeoutError) as error:
            log.info("%s: %s", socket, error)
