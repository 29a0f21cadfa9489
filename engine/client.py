"""The client's side of the engine: start it as a child process, send requests, await results.

Torch-free: language server and command line import this; torch lives in the child alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from engine.errors import EngineUnavailable, error_of_kind
from engine.folders import environment
from engine.pages import in_large_pages
from engine.protocol import EditRequest, EditResult, Frame

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 64 << 20
# A crash loop must not eat the machine: the limit VS Code's client uses, too.
MAX_STARTS, START_WINDOW_S = 4, 180.0
EXIT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What the engine is doing before it is ready; `fraction` is 0 to 1, None if unknown."""

    state: str  # "loading" or "ready"
    message: str
    fraction: float | None


OnFrame = Callable[[Frame], None]
OnStatus = Callable[[EngineStatus], None]


class EngineClient(Protocol):
    """Whoever answers edit requests: a child process, or the engine that all clients share."""

    async def edit(self, request: EditRequest, on_frame: OnFrame | None = None) -> EditResult:
        """Run one request; cancelling the awaiting task cancels the work in the engine.

        Raises:
            EngineError: with a message for the user.
        """
        ...

    async def close(self) -> None:
        """Leave the engine; a child process ends."""
        ...


def open_engine(model: str | None, on_status: OnStatus) -> EngineClient:
    """Return the engine of a model: shared by all clients of this user where sockets are private.

    Windows has no such sockets in asyncio: there each client has a process of its own.
    """
    if sys.platform == "win32":
        return EngineProcess(model=model, on_status=on_status)
    from engine.shared import SharedEngine

    return SharedEngine(model, on_status=on_status)


def engine_command(model: str | None = None) -> list[str]:
    """Return the command that starts the engine process.

    `-P` keeps the working directory (the user's project, perhaps with an `engine/` of its own)
    off the module path.
    """
    command = [sys.executable, "-P", "-m", "engine.service"]
    return [*command, "--model", model] if model else command


@dataclass(slots=True)
class _Pending:
    answer: asyncio.Future[EditResult]
    on_frame: OnFrame | None


@dataclass(slots=True)
class _Child:
    process: asyncio.subprocess.Process
    reader: asyncio.Task[None] | None = None
    pending: dict[int, _Pending] = field(default_factory=dict[int, _Pending])

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        if not self.process.stdin.is_closing():
            self.process.stdin.write(json.dumps(message).encode() + b"\n")


class EngineProcess:
    """An engine in a child process, started at the first request and again after it died."""

    def __init__(
        self,
        *,
        model: str | None = None,
        command: Sequence[str] | None = None,
        on_status: OnStatus | None = None,
    ) -> None:
        self._command = list(command or engine_command(model))
        self._on_status = on_status
        self._child: _Child | None = None
        self._ids = itertools.count(1)
        self._starts: deque[float] = deque(maxlen=MAX_STARTS)
        self._starting: asyncio.Task[_Child] | None = None

    async def edit(self, request: EditRequest, on_frame: OnFrame | None = None) -> EditResult:
        """Run one request; see `EngineClient.edit`."""
        child = await self._running()
        number = next(self._ids)
        answer: asyncio.Future[EditResult] = asyncio.get_running_loop().create_future()
        child.pending[number] = _Pending(answer, on_frame)
        try:
            child.send({"type": "edit", "id": number, "request": request.to_json()})
            return await answer
        except asyncio.CancelledError:
            child.send({"type": "cancel", "id": number})
            raise
        finally:
            child.pending.pop(number, None)

    async def close(self) -> None:
        """End the child: close its input, then insist."""
        if self._starting:
            await asyncio.wait([self._starting])
            if not self._starting.exception():
                self._child = self._starting.result()
        child, self._child, self._starting = self._child, None, None
        if child is None:
            return
        assert child.process.stdin
        child.process.stdin.close()
        try:
            await asyncio.wait_for(child.process.wait(), EXIT_TIMEOUT_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.process.kill()
            await child.process.wait()
        if child.reader:
            await child.reader

    async def _running(self) -> _Child:
        if self._child is None or self._child.process.returncode is not None:
            if self._starting is None or self._starting.done():
                self._starting = asyncio.create_task(self._start())
            # Shielded: a cancelled request must not lose a child that is about to exist.
            child = await asyncio.shield(self._starting)
            self._child = child
            return child
        return self._child

    async def _start(self) -> _Child:
        now = time.monotonic()
        if len(self._starts) == MAX_STARTS and now - self._starts[0] < START_WINDOW_S:
            raise EngineUnavailable(
                f"the engine stopped {MAX_STARTS} times within {START_WINDOW_S:.0f} s; "
                "its messages are in the log, `diffill doctor` may tell more"
            )
        self._starts.append(now)
        log.info("starting the engine: %s", self._command)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=MAX_MESSAGE_BYTES,
                cwd=Path(__file__).parent,  # it opens no user file: it needs no user folder
                env=in_large_pages(environment()),
            )
        except OSError as error:
            raise EngineUnavailable(f"the engine could not be started: {error}") from error
        child = _Child(process)
        child.reader = asyncio.create_task(self._read(child))
        return child

    async def _read(self, child: _Child) -> None:
        assert child.process.stdout
        try:
            while line := await child.process.stdout.readline():
                self._dispatch(child, json.loads(line))
        except Exception:  # whatever it is, nobody may wait for an answer forever
            log.exception("the engine sent something that is not a message")
            with contextlib.suppress(ProcessLookupError):
                child.process.kill()
        code = await child.process.wait()
        for pending in list(child.pending.values()):
            if not pending.answer.done():
                pending.answer.set_exception(
                    EngineUnavailable(f"the engine ended unexpectedly (exit code {code})")
                )

    def _dispatch(self, child: _Child, message: dict[str, Any]) -> None:
        if message["type"] == "status":
            status = EngineStatus(message["state"], message["message"], message["fraction"])
            if self._on_status:
                self._on_status(status)
            return
        pending = child.pending.get(message["id"])
        if pending is None or pending.answer.done():
            return  # cancelled meanwhile
        match message["type"]:
            case "frame":
                if pending.on_frame:
                    pending.on_frame(Frame.from_json(message["frame"]))
            case "result":
                pending.answer.set_result(EditResult.from_json(message["result"]))
            case "error":
                error = error_of_kind(message["kind"], message["message"])
                pending.answer.set_exception(error)
            case other:
                raise ValueError(f"unknown message type {other!r}")
