"""Where a command's engine comes from: the model on this machine, fetched first if need be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from editor_clients.command_line.screen import Screen
from engine import catalogue
from engine.client import EngineClient, OnStatus, open_engine
from engine.protocol import EditRequest, EditResult

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


def engine_for(model: str | None, screen: Screen) -> OpenEngine:
    """Return what starts the engine on a model, which is made ready now."""
    path = str(ensure_model(model, screen))
    return lambda on_status: open_engine(path, on_status)


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
    """An engine for a caller that waits for each answer; a Ctrl-C cancels the one awaited."""

    def __init__(self, open_engine: OpenEngine, on_status: OnStatus) -> None:
        self._runner = asyncio.Runner()
        self._engine = open_engine(on_status)

    def edit(self, request: EditRequest) -> EditResult:
        """Run one request.

        Raises:
            EngineError: with a message for the user.
        """
        return self._runner.run(self._engine.edit(request))

    def close(self) -> None:
        """End the engine."""
        with self._runner:
            self._runner.run(self._engine.close())
