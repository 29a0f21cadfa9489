import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from scripted_engine import FILL, opener

from engine.client import MAX_STARTS, EngineProcess, EngineStatus, engine_command
from engine.errors import ConfigError, EngineUnavailable
from engine.protocol import EditRequest, EditStats, Frame, FrameToken, TokenState
from grammars.span import Replacement, Span
from grammars.verdict import Verdict

DEADLINE_S = 30.0
REQUEST = EditRequest(text="a = old\n", spans=(Span(4, 7),), language="python")
# Answers with all it has heard; the file named by its argument tells its first start.
CHILD = """
import json, os, pathlib, sys
mode, mark = sys.argv[1], pathlib.Path(sys.argv[2])
first = not mark.exists()
mark.touch()
heard = []
for line in sys.stdin:
    message = json.loads(line)
    heard.append(f"{message['type']} {message['id']}")
    if message["type"] == "cancel":
        continue
    if mode == "garbage" and first:
        print("this is no message", flush=True)
        continue
    if mode == "mortal" and first:
        os._exit(9)
    text = " ".join(heard)
    tokens = [{"text": text, "state": "committed", "confidence": 0.5}]
    frame = {"span": 0, "step": 1, "tokens": tokens}
    print(json.dumps({"type": "frame", "id": message["id"], "frame": frame}), flush=True)
    if message["request"]["path"] == "never":
        continue
    verdict = {"ok": True, "reasons": [], "checked": True}
    candidate = {"replacements": [[4, 7, text]], "verdict": verdict, "score": -1.0, "verdicts": []}
    stats = {"steps": 1, "forward_calls": 1, "tokens": 1, "seconds": 0.1}
    result = {"candidates": [candidate], "stats": stats}
    print(json.dumps({"type": "result", "id": message["id"], "result": result}), flush=True)
"""


@asynccontextmanager
async def running(mode, on_status=None):
    async with asyncio.timeout(DEADLINE_S):
        engine = opener(mode)(on_status)
        try:
            yield engine
        finally:
            await engine.close()


@pytest.fixture
def child(tmp_path):
    """An engine that tells what it has heard; "mortal" and "garbage" fail at the first start."""

    @asynccontextmanager
    async def start(mode="told"):
        async with asyncio.timeout(DEADLINE_S):
            command = [sys.executable, "-P", "-c", CHILD, mode, str(tmp_path / "started")]
            engine = EngineProcess(command=command)
            try:
                yield engine
            finally:
                await engine.close()

    return start


def text_of(result):
    return result.best.replacements[0].text


async def test_a_request_has_a_result():
    async with running("echo") as engine:
        result = await engine.edit(REQUEST)
    assert result.best.replacements == (Replacement(Span(4, 7), FILL),)
    assert result.best.verdict == Verdict(True)
    assert result.stats == EditStats(3, 4, 5, 0.5)


async def test_a_verdict_that_refuses_comes_through():
    async with running("invalid") as engine:
        result = await engine.edit(REQUEST)
    assert result.best.verdict == Verdict(False, ("line 1: a new syntax error",))


async def test_status_is_told():
    told = []
    async with running("echo", told.append) as engine:
        await engine.edit(REQUEST)
    assert told == [EngineStatus("loading", "loading", 0.5), EngineStatus("ready", "ready", None)]


async def test_an_error_comes_through_with_its_kind():
    async with running("config") as engine:
        with pytest.raises(ConfigError, match=r"^no such$"):
            await engine.edit(REQUEST)


async def test_requests_at_once_get_their_own_answers():
    async with running("echo") as engine:
        texts = [f"ANSWER:word{n}" for n in range(20)]
        requests = [EditRequest(text=t, spans=(Span(len(t), len(t)),)) for t in texts]
        results = await asyncio.gather(*map(engine.edit, requests))
    assert [text_of(r) for r in results] == [f"word{n}" for n in range(20)]


async def test_frames_reach_their_request(child):
    frames = []
    async with child() as engine:
        await engine.edit(REQUEST)
        await engine.edit(REQUEST, frames.append)
    token = FrameToken("edit 1 edit 2", TokenState.COMMITTED, 0.5)
    assert frames == [Frame(0, 1, (token,))]


async def test_cancelling_the_task_cancels_the_request(child):
    never = EditRequest(text="a = old\n", spans=(Span(4, 7),), path="never")
    async with child() as engine:
        arrived = asyncio.Event()
        task = asyncio.create_task(engine.edit(never, lambda frame: arrived.set()))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert text_of(await engine.edit(REQUEST)) == "edit 1 cancel 1 edit 2"


async def test_a_child_that_dies_is_started_again(child):
    async with child("mortal") as engine:
        with pytest.raises(EngineUnavailable, match=r"ended unexpectedly \(exit code 9\)"):
            await engine.edit(REQUEST)
        assert text_of(await engine.edit(REQUEST)) == "edit 2"


async def test_a_child_that_talks_nonsense_is_started_again(child):
    async with child("garbage") as engine:
        with pytest.raises(EngineUnavailable, match="ended unexpectedly"):
            await engine.edit(REQUEST)
        assert text_of(await engine.edit(REQUEST)) == "edit 2"


async def test_a_fault_in_showing_a_frame_leaves_nobody_waiting(child):
    def fail(frame):
        raise RuntimeError("cannot be shown")

    async with child() as engine:
        with pytest.raises(EngineUnavailable):
            await engine.edit(REQUEST, fail)


async def test_a_death_fails_every_request():
    async with running("dies") as engine:
        answers = await asyncio.gather(
            engine.edit(REQUEST), engine.edit(REQUEST), return_exceptions=True
        )
    assert [type(a) for a in answers] == [EngineUnavailable] * 2


async def test_a_crash_loop_is_refused():
    async with running("dies") as engine:
        for _ in range(MAX_STARTS):
            with pytest.raises(EngineUnavailable, match="ended unexpectedly"):
                await engine.edit(REQUEST)
        with pytest.raises(EngineUnavailable, match=f"stopped {MAX_STARTS} times"):
            await engine.edit(REQUEST)


async def test_a_command_that_does_not_exist_is_told(tmp_path):
    engine = EngineProcess(command=[str(tmp_path / "no-such-engine")])
    with pytest.raises(EngineUnavailable, match="could not be started"):
        await engine.edit(REQUEST)
    await engine.close()


async def test_closing_ends_the_child_and_what_waits_for_it():
    ready = asyncio.Event()
    async with running("slow", lambda status: ready.set()) as engine:
        waiting = asyncio.create_task(engine.edit(REQUEST))
        await ready.wait()
        process = engine._child.process
        await engine.close()
        assert process.returncode == 0
        with pytest.raises(EngineUnavailable):
            await waiting


async def test_closing_what_never_started_does_nothing():
    await EngineProcess(command=["never"]).close()


def test_the_command_ignores_the_working_directory():
    assert engine_command("m") == [
        sys.executable,
        "-P",
        "-m",
        "engine.service",
        "--model",
        "m",
    ]
    assert engine_command() == [sys.executable, "-P", "-m", "engine.service"]
    assert Path(sys.executable).is_absolute()
