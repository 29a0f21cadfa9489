import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from engine.errors import CheckpointError, unforeseen
from engine.protocol import (
    Candidate,
    EditRequest,
    EditResult,
    EditStats,
    Frame,
    FrameToken,
    TokenState,
)
from engine.service import Service
from grammars.span import Replacement, Span
from grammars.verdict import Verdict

ROOT = Path(__file__).parents[2]
DEADLINE_S = 30.0
FRAME = Frame(0, 1, (FrameToken("a", TokenState.COMMITTED, 0.5),))


class ScriptedEditor:
    """Answers with the request's path; its instruction says how."""

    def __init__(self):
        self.started = queue.SimpleQueue()
        self.release = threading.Event()

    def edit(self, request, control):
        control.check()
        self.started.put(request.path)
        match request.instruction:
            case "until cancelled":
                control.hold()
                control.check()
            case "until released":
                assert self.release.wait(DEADLINE_S)
            case "break":
                raise ZeroDivisionError("by zero")
            case "want too much":
                torch.empty(1 << 50)
        if control.on_frame:
            control.on_frame(FRAME)
        return answer(request.path)


def answer(text):
    candidate = Candidate((Replacement(Span(0, 1), text),), Verdict(True), -0.5)
    return EditResult((candidate,), EditStats(1, 2, 3, 0.5))


class Running:
    """A service in a thread, at the other ends of its pipes."""

    def __init__(self, load):
        source, self._input = (
            os.fdopen(fd, mode) for fd, mode in zip(os.pipe(), ("rb", "wb"), strict=True)
        )
        self._output, self._sink = (
            os.fdopen(fd, mode) for fd, mode in zip(os.pipe(), ("rb", "wb"), strict=True)
        )
        self._source = source
        self._messages = queue.SimpleQueue()
        service = Service(source, self._sink, load)
        self._service = threading.Thread(target=service.run, daemon=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._service.start()
        self._reader.start()

    def _read(self):
        for line in self._output:
            self._messages.put(json.loads(line))

    def send(self, message):
        line = message if isinstance(message, bytes) else json.dumps(message).encode()
        self._input.write(line + b"\n")
        self._input.flush()

    def edit(self, number, how=None, **options):
        request = EditRequest(
            text="x", spans=(Span(0, 1),), path=f"file {number}", instruction=how, **options
        )
        self.send({"type": "edit", "id": number, "request": request.to_json()})

    def next(self):
        return self._messages.get(timeout=DEADLINE_S)

    def end(self):
        self._input.close()
        self._service.join(DEADLINE_S)
        assert not self._service.is_alive()
        self._sink.close()
        self._reader.join(DEADLINE_S)
        self._output.close()
        self._source.close()
        rest = []
        while not self._messages.empty():
            rest.append(self._messages.get())
        return rest


@pytest.fixture
def start():
    running = []

    def begin(load):
        running.append(Running(load))
        return running[-1]

    yield begin
    for each in running:
        if not each._input.closed:
            each.end()


@pytest.fixture
def editor():
    return ScriptedEditor()


@pytest.fixture
def service(start, editor):
    return start(lambda report: editor)


def result(number):
    return {"type": "result", "id": number, "result": answer(f"file {number}").to_json()}


def error(number, kind, message):
    return {"type": "error", "id": number, "kind": kind, "message": message}


def test_a_request_has_a_result(service):
    service.edit(1)
    assert service.next() == result(1)
    assert service.end() == []


def test_frames_come_before_the_result_if_asked_for(service):
    service.edit(1, frames=True)
    frame = json.loads(json.dumps(FRAME.to_json()))
    assert service.next() == {"type": "frame", "id": 1, "frame": frame}
    assert service.next() == result(1)


def test_requests_are_answered_in_turn(service):
    for number in range(1, 6):
        service.edit(number)
    assert [service.next() for _ in range(5)] == [result(n) for n in range(1, 6)]


def test_a_running_request_is_cancelled(service, editor):
    service.edit(1, "until cancelled")
    assert editor.started.get(timeout=DEADLINE_S) == "file 1"
    service.send({"type": "cancel", "id": 1})
    assert service.next() == error(1, "cancelled", "cancelled")
    service.edit(2)
    assert service.next() == result(2)


def test_a_queued_request_is_cancelled(service, editor):
    service.edit(1, "until released")
    assert editor.started.get(timeout=DEADLINE_S) == "file 1"
    service.edit(2)
    service.edit(3)
    service.send({"type": "cancel", "id": 2})
    service.send({"type": "edit", "id": 4, "request": {}})
    assert service.next()["id"] == 4  # so the cancel has been seen
    editor.release.set()
    answers = [service.next() for _ in range(3)]
    assert answers == [result(1), error(2, "cancelled", "cancelled"), result(3)]
    assert editor.started.get() == "file 3"


def test_cancelling_what_is_unknown_or_done_does_nothing(service):
    service.send({"type": "cancel", "id": 9})
    service.edit(1)
    assert service.next() == result(1)
    service.send({"type": "cancel", "id": 1})
    service.edit(2)
    assert service.next() == result(2)


def test_a_bad_request_is_an_error_of_its_own(service):
    service.send({"type": "edit", "id": 1, "request": {"text": "x", "spans": []}})
    assert service.next() == error(1, "config", "spans is empty: there is nothing to edit")
    service.edit(2)
    assert service.next() == result(2)


def test_no_time_means_no_result(service):
    service.edit(1, deadline_s=0.0)
    assert service.next() == error(1, "deadline", "no result within 0 s")


@pytest.mark.parametrize(
    "line", [b"", b"{", b"5", b"[]", b"\xff\xfe", b'{"type": "edit"}', b'{"id": 1}']
)
def test_what_is_no_message_is_passed_over(service, line):
    service.send(line)
    service.edit(2)
    assert service.next() == result(2)


def test_a_fault_fails_its_request_alone(service):
    service.edit(1, "break")
    assert service.next() == error(1, "internal", "internal error: by zero")
    service.edit(2)
    assert service.next() == result(2)


def test_too_little_memory_is_said_to_be_that(service):
    service.edit(1, "want too much")
    answer = service.next()
    assert answer["kind"] == "internal"
    assert answer["message"].startswith("there is too little memory for this (")
    assert "DIFFILL_CONTEXT_MB" in answer["message"]
    service.edit(2)
    assert service.next() == result(2)


@pytest.mark.parametrize(
    "fault",
    [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB.\nA second line")],
)
def test_every_allocator_is_understood(fault):
    told = str(unforeseen(fault))
    assert told.startswith("there is too little memory for this (")
    assert "\n" not in told


def test_loading_is_reported(start, editor):
    def load(report):
        report("reading", 0.25)
        report("ready", 1.0)
        return editor

    service = start(load)
    assert [service.next(), service.next()] == [
        {"type": "status", "state": "loading", "message": "reading", "fraction": 0.25},
        {"type": "status", "state": "ready", "message": "ready", "fraction": 1.0},
    ]


@pytest.mark.parametrize(
    ("failure", "kind", "message"),
    [
        (CheckpointError("model.gguf is damaged"), "checkpoint", "model.gguf is damaged"),
        (MemoryError("no room"), "internal", "the model could not be loaded: no room"),
    ],
)
def test_a_model_that_cannot_be_loaded_fails_every_request(start, failure, kind, message):
    def load(report):
        raise failure

    service = start(load)
    for number in (1, 2):
        service.edit(number)
        assert service.next() == error(number, kind, message)


def test_the_end_of_input_cancels_and_ends(service, editor):
    service.edit(1, "until cancelled")
    assert editor.started.get(timeout=DEADLINE_S) == "file 1"
    assert service.end() == [error(1, "cancelled", "cancelled")]


def run(*command, messages):
    done = subprocess.run(
        [sys.executable, "-P", *command],
        input="".join(json.dumps(m) + "\n" for m in messages),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done, [json.loads(line) for line in done.stdout.splitlines()]


def test_a_stray_print_does_not_reach_the_client():
    script = """
import os, sys
from engine.errors import ConfigError
from engine.service import Service, private_stdout

sink = private_stdout()

def load(report):
    print("a stray print", flush=True)
    os.write(1, b"a stray write\\n")
    report("ready", 1.0)
    raise ConfigError("no model here")

Service(sys.stdin.buffer, sink, load).run()
"""
    done, messages = run("-c", script, messages=[])
    assert messages == [{"type": "status", "state": "ready", "message": "ready", "fraction": 1.0}]
    assert "a stray print\na stray write\n" in done.stderr


def test_the_process_says_that_its_model_is_missing(tmp_path):
    request = EditRequest(text="x", spans=(Span(0, 1),)).to_json()
    missing = str(tmp_path / "gone.gguf")
    messages = [{"type": "edit", "id": 1, "request": request}]
    done, answers = run("-m", "engine.service", "--model", missing, messages=messages)
    assert done.returncode == 0
    assert [a["type"] for a in answers] == ["error"]
    assert (answers[0]["id"], answers[0]["kind"] in ("config", "checkpoint")) == (1, True)
    assert "gone.gguf" in answers[0]["message"]
