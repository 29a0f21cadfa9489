"""Where a command's engine comes from: the model on this machine, fetched first if need be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path

from editor_clients.command_line.screen import Screen
from engine import catalogue
from engine.client import EngineClient, OnFrame, OnStatus, open_engine
from engine.protocol import EditRequest, EditResult
from engine.remotes import PREFIX, remote_of

# Makes an engine that tells its status; a test gives a scripted one.
OpenEngine = Callable[[OnStatus], EngineClient]


def ensure_model(model: str | None, screen: Screen) -> Path:
    """Return the model's file, fetched with a progress bar if it is not here.

    Raises:
        EngineError: if there is no such model, or no source gave it.
    """
    if path := catalogue.find(model):
        return path
    from engine.fetch import fetch
    from engine.hub import hub_id
    from engine.hub_fetch import fetch_folder

    entry = catalogue.entry_of(model)
    with screen.progress() as report:
        if entry:
            return fetch(entry, report)
        named = hub_id(catalogue.named(model))
        assert named  # `find` has found a path, or refused it
        return fetch_folder(named, report)


def ready_model(model: str | None, screen: Screen) -> str:
    """Return what names a model to its engine: a remote, or a file that is here, fetched if not.

    Raises:
        EngineError: if there is no such model, or no source gave it.
    """
    if remote := remote_of(model):
        return PREFIX + remote.name
    return str(ensure_model(model, screen))


def engine_for(model: str | None, screen: Screen) -> OpenEngine:
    """Return what starts the engine on a model, which is made ready now."""
    ready = ready_model(model, screen)
    return lambda on_status: open_engine(ready, on_status)


@asynccontextmanager
async def running(
    open_engine: OpenEngine, screen: Screen, what: str
) -> AsyncGenerator[EngineClient]:
    """Give an engine that ends with the block, however the block ends."""
    with screen.working(what) as on_status:
        engine = open_engine(on_status)
        try:
            yield engine
        finally:
            await engine.close()


def ask(open_engine: OpenEngine, request: EditRequest, screen: Screen, what: str) -> EditResult:
    """Run one request on an engine of its own."""

    async def run() -> EditResult:
        async with running(open_engine, screen, what) as engine:
            return await engine.edit(request)

    return asyncio.run(run())


class EngineSession:
    """An engine for a caller outside of any event loop; what it is asked, it works on at once."""

    def __init__(self, open_engine: OpenEngine, on_status: OnStatus) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="engine", daemon=True)
        self._thread.start()
        self._engine = open_engine(on_status)
        self._asked: set[Future[EditResult]] = set()

    def start(self, request: EditRequest, on_frame: OnFrame | None = None) -> Future[EditResult]:
        """Ask; cancelling the future cancels the work in the engine."""
        future = asyncio.run_coroutine_threadsafe(self._engine.edit(request, on_frame), self._loop)
        self._asked.add(future)
        future.add_done_callback(self._asked.discard)
        return future

    def edit(self, request: EditRequest, on_frame: OnFrame | None = None) -> EditResult:
        """Ask and wait; `on_frame` is called in another thread; a Ctrl-C cancels the work.

        Raises:
            EngineError: with a message for the user.
        """
        future = self.start(request, on_frame)
        try:
            return future.result()
        finally:
            future.cancel()

    def close(self) -> None:
        """End the engine, and whatever it still works on."""
        for future in self._asked.copy():
            future.cancel()
        asyncio.run_coroutine_threadsafe(self._engine.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
