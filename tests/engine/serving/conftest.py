"""An engine without a model, on loopback TCP: a real process, asked by real HTTP."""

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import resident_engine

import engine
from engine.shared import SharedEngine

TOKEN = "the-token-of-this-test"
DEADLINE_S = 30.0


@pytest.fixture
def served(engine_folder, monkeypatch):
    """Return what opens a port of the engine and gives a client of it."""
    support = Path(resident_engine.__file__).parent
    # The engine that is tested, installed or not: one from elsewhere would have another place.
    monkeypatch.setenv("PYTHONPATH", f"{Path(engine.__file__).parents[1]}:{support}")

    @asynccontextmanager
    async def serve():
        shared = SharedEngine(home=resident_engine.home(engine_folder))
        opened = asyncio.Queue()
        listening = asyncio.create_task(shared.listen(0, TOKEN, opened.put_nowait))
        port = await asyncio.wait_for(opened.get(), DEADLINE_S)
        headers = {"authorization": f"Bearer {TOKEN}"}
        url = f"http://127.0.0.1:{port}"
        async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=DEADLINE_S) as client:
            client.opened, client.engine = opened, shared
            yield client
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await shared.close()

    return serve


@pytest.fixture
def asked(engine_folder):
    """Return the texts the engine was asked to fill, and where."""

    def read():
        path = engine_folder / "texts"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read
