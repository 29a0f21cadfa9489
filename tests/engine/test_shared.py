"""The resident engine as its clients see it: real processes over a real socket."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import resident_engine
from scripted_engine import FILL

from engine.errors import Busy, Cancelled, ConfigError, DeadlineExceeded, EngineUnavailable
from engine.place import Place, private
from engine.protocol import EditRequest, Priority
from engine.scheduler import MAX_WAITING
from engine.shared import SharedEngine, ask_engines
from grammars.span import Span

DEADLINE_S = 30.0
REQUEST = EditRequest(text="a = old\n", spans=(Span(4, 7),), language="python")
WAIT = replace(REQUEST, text="a = WAIT\n")


def test_without_a_runtime_folder_of_the_session_nobody_is_warned(monkeypatch):
    for name in ("DIFFILL_RUNTIME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    code = "from engine.place import runtime_dir; print(runtime_dir())"
    command = [sys.executable, "-W", "error", "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (said.returncode, said.stderr) == (0, "")
    assert Path(said.stdout.strip()).is_absolute()


@pytest.fixture
def client(engine_folder, monkeypatch):
    support = Path(resident_engine.__file__).parent
    monkeypatch.setenv("PYTHONPATH", f"{support.parents[1]}:{support}")

    def make(on_status=None):
        return SharedEngine(home=resident_engine.home(engine_folder), on_status=on_status)

    return make


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def filled(result):
    return result.best.replacements[0].text == FILL


async def test_clients_that_race_share_one_engine_and_one_model(client, engine_folder):
    clients = [client() for _ in range(4)]
    results = await asyncio.gather(*(each.edit(REQUEST) for each in clients))
    assert all(map(filled, results))
    assert len(lines(engine_folder / "loads")) == 1
    [status] = [s async for s in ask_engines(engine_folder, "GET", "/status")]
    assert [status["clients"], status["done"]] == [[os.getpid()] * 4, 4]
    await asyncio.gather(*(each.close() for each in clients))


async def test_nobody_else_can_reach_it(client, engine_folder):
    engine = client()
    await engine.edit(REQUEST)
    socket = resident_engine.home(engine_folder).place.socket
    assert (socket.stat().st_mode & 0o777, engine_folder.stat().st_mode & 0o777) == (0o600, 0o700)
    await engine.close()


def test_a_folder_open_to_others_is_refused(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(ConfigError, match="open to other users"):
        private(Place(tmp_path, "a"))


def test_a_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        private(Place(tmp_path, "a"))


async def test_a_killed_engine_is_an_error_and_the_next_request_works(client, engine_folder):
    engine = client()
    with pytest.raises(EngineUnavailable, match="ended unexpectedly"):
        await engine.edit(replace(REQUEST, text="a = DIE\n"))
    assert filled(await engine.edit(REQUEST))  # over the dead engine's socket and lock
    assert len(lines(engine_folder / "loads")) == 2
    await engine.close()


async def test_cancelling_stops_the_work(client, engine_folder):
    engine = client()
    task = asyncio.create_task(engine.edit(WAIT))
    await until(lambda: lines(engine_folder / "events") == ["started"])
    task.cancel()
    await until(lambda: lines(engine_folder / "events") == ["started", "cancelled"])
    assert filled(await engine.edit(REQUEST))
    await engine.close()


async def test_a_killed_client_stops_its_work(client, engine_folder):
    script = (
        "import asyncio, sys, resident_engine, test_shared as t; "
        "from engine.shared import SharedEngine; "
        "asyncio.run(SharedEngine(home=resident_engine.home(sys.argv[1])).edit(t.WAIT))"
    )
    path = os.environ["PYTHONPATH"]
    env = os.environ | {"PYTHONPATH": f"{path}:{Path(__file__).parent}"}
    process = subprocess.Popen([sys.executable, "-c", script, str(engine_folder)], env=env)
    await until(lambda: lines(engine_folder / "events") == ["started"])
    process.send_signal(signal.SIGKILL)
    process.wait(DEADLINE_S)
    await until(lambda: lines(engine_folder / "events") == ["started", "cancelled"])


async def test_a_newer_completion_takes_the_place_of_the_older(client):
    engine = client()
    typing = replace(WAIT, priority=Priority.TYPING)
    arrived = asyncio.Event()
    shown = replace(typing, frames=True)
    old = asyncio.create_task(engine.edit(shown, lambda frame: arrived.set()))
    async with asyncio.timeout(DEADLINE_S):
        await arrived.wait()
    assert filled(await engine.edit(replace(REQUEST, priority=Priority.TYPING)))
    with pytest.raises(Cancelled):
        await old
    await engine.close()


async def test_people_go_before_batches_and_a_full_queue_refuses(client, engine_folder):
    engine = client()
    blocker = asyncio.create_task(engine.edit(WAIT))
    await until(lambda: lines(engine_folder / "events") == ["started"])
    batch = replace(REQUEST, priority=Priority.BATCH, path="batch")
    tasks = [asyncio.create_task(engine.edit(batch)) for _ in range(MAX_WAITING // 2 + 1)]
    finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=DEADLINE_S)
    with pytest.raises(Busy, match=r"try again in about \d+ s"):
        await finished.pop()
    person = asyncio.create_task(engine.edit(replace(REQUEST, path="person")))
    status = {}
    while status.get("waiting") != MAX_WAITING // 2 + 1:
        [status] = [s async for s in ask_engines(engine_folder, "GET", "/status")]
    blocker.cancel()
    await asyncio.gather(person, *tasks, return_exceptions=True)
    assert lines(engine_folder / "done")[0] == "person"
    await engine.close()


async def test_so_many_are_worked_on_at_once_as_the_engine_is_told(
    client, engine_folder, monkeypatch
):
    monkeypatch.setenv("AT_ONCE", "2")
    engine = client()
    hold = replace(REQUEST, text="a = HOLD\n")
    edits = [asyncio.create_task(engine.edit(hold)) for _ in range(3)]
    await until(lambda: lines(engine_folder / "events") == ["held", "held"])
    [status] = [s async for s in ask_engines(engine_folder, "GET", "/status")]
    assert (status["running"], status["waiting"]) == (2, 1)
    (engine_folder / "release").touch()
    assert all(map(filled, await asyncio.gather(*edits)))
    await engine.close()


async def test_a_deadline_holds(client):
    engine = client()
    with pytest.raises(DeadlineExceeded):
        await engine.edit(replace(WAIT, deadline_s=0.2))
    await engine.close()


async def test_it_stops_when_told_and_starts_when_needed(client, engine_folder):
    engine = client()
    await engine.edit(REQUEST)
    assert len([s async for s in ask_engines(engine_folder, "POST", "/stop")]) == 1
    place = resident_engine.home(engine_folder).place
    await until(lambda: not place.socket.exists())
    assert filled(await engine.edit(REQUEST))
    await engine.close()
