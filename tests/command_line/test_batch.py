import asyncio
import io
import json
import os
import sys
import threading
import time
from pathlib import Path

import pytest
import scripted_engine
from command_process import start

from editor_clients.command_line.main import main
from engine.errors import EngineUnavailable
from engine.protocol import EditResult


def lines(*cases):
    return "".join(c if isinstance(c, str) else json.dumps(c) + "\n" for c in cases).encode()


def case(number, **more):
    return {"id": number, "prefix": f"x = ANSWER:a{number}", "suffix": "\n"} | more


def test_answers_keep_the_order(diffill, sample):
    source = sample(lines(*(case(i, language="python") for i in range(5))), "in.jsonl")
    done = diffill("batch", source, "out.jsonl")
    answers = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert done.code == 0
    assert [a["text"] for a in answers] == ["a0", "a1", "a2", "a3", "a4"]
    assert answers[0] == {
        "id": 0,
        "text": "a0",
        "verdict": {"ok": True, "reasons": []},
        "forward_calls": 4,
        "tokens": 5,
        "seconds": 0.5,
    }
    assert "5 lines, 0 failed" in done.err


class Together:
    """An engine that answers four requests at a time, the last of them first."""

    def __init__(self):
        self._asked = []

    async def edit(self, request, on_frame=None):
        answer = asyncio.get_running_loop().create_future()
        self._asked.append((request, answer))
        if len(self._asked) == 4:
            for each, waiting in reversed(self._asked):
                result = scripted_engine.answer("echo", each.to_json())
                waiting.set_result(EditResult.from_json(result))
                await asyncio.sleep(0)
            self._asked.clear()
        return await answer

    async def close(self):
        pass


def asked_of(engine, source):
    """The exit code of a batch, and its answers."""
    code = main(["batch", str(source), "out.jsonl"], open_engine=lambda on_status: engine)
    return code, [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]


def test_lines_of_a_file_are_asked_four_at_once(sample):
    code, answers = asked_of(Together(), sample(lines(*map(case, range(8))), "in.jsonl"))
    assert code == 0
    assert [(a["id"], a["text"]) for a in answers] == [(i, f"a{i}") for i in range(8)]


class Mortal:
    """An engine that ends, with all that it is doing, when it is asked for `a5`."""

    def __init__(self):
        self._doing, self.num_failed = [], 0

    async def edit(self, request, on_frame=None):
        if "a5" in request.text:
            self.num_failed += len(self._doing)
            for waiting in self._doing:
                waiting.set_exception(EngineUnavailable("the engine ended unexpectedly"))
            self._doing.clear()
            raise EngineUnavailable("the engine ended unexpectedly")
        ended = asyncio.get_running_loop().create_future()
        self._doing.append(ended)
        for _ in range(9):  # while others are asked
            await asyncio.sleep(0)
        if ended.done():
            return ended.result()
        self._doing.remove(ended)
        return EditResult.from_json(scripted_engine.answer("echo", request.to_json()))

    async def close(self):
        pass


def test_a_line_that_ends_the_engine_costs_those_beside_it_nothing(sample):
    engine = Mortal()
    code, answers = asked_of(engine, sample(lines(*map(case, range(9))), "in.jsonl"))
    assert engine.num_failed == 2  # beside it, when it was asked first: a3, a4
    assert code == 1
    assert [a.get("text") for a in answers] == [f"a{i}" if i != 5 else None for i in range(9)]
    assert "ended unexpectedly" in answers[5]["error"]


def test_each_line_of_a_pipe_is_answered_before_the_next_is_read(monkeypatch, diffill):
    reading, writing = os.pipe()
    os.write(writing, lines(case(1)))

    def answered():
        until = time.monotonic() + 30.0
        while not Path("out.jsonl").read_text() and time.monotonic() < until:
            time.sleep(0.001)
        if Path("out.jsonl").read_text():
            os.write(writing, lines(case(2)))
        os.close(writing)

    Path("out.jsonl").touch()
    asker = threading.Thread(target=answered, daemon=True)
    asker.start()
    with os.fdopen(reading) as source:
        monkeypatch.setattr(sys, "stdin", source)
        assert diffill("batch", "-", "out.jsonl").code == 0
    asker.join()
    answers = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [a["text"] for a in answers] == ["a1", "a2"]


def test_single_line(diffill, sample):
    one = {"id": "s", "prefix": "", "suffix": "", "single_line": True}
    source = sample(lines(one, one | {"single_line": False}), "in.jsonl")
    done = diffill("batch", source, "-")
    assert [json.loads(a)["text"] for a in done.out.splitlines()] == [
        "first()",
        "first()\nsecond()",
    ]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("{nonsense\n", "not JSON"),
        ("[1]\n", "not a JSON object"),
        ("[" * 100_000 + "\n", "not JSON"),
        ({"id": 1, "prefix": "a"}, "missing: suffix"),
        (case(1, prefix=2), "prefix is 2"),
        (case(1, single_line="yes"), "single_line is 'yes'"),
        (case(1, max_tokens=True), "max_tokens is True"),
        (case(1, max_tokens=0), "max_tokens is 0, not between"),
        (case(1, sufix=""), "unknown field 'sufix'"),
        (case(1, prefix="x" * (1 << 20)), "more than 1,048,576"),
    ],
)
def test_a_bad_line_does_not_stop_the_others(diffill, sample, bad, message):
    source = sample(lines(case(0), bad, case(2)), "in.jsonl")
    done = diffill("batch", source, "-")
    first, wrong, last = (json.loads(line) for line in done.out.splitlines())
    assert (done.code, first["text"], last["text"]) == (1, "a0", "a2")
    assert set(wrong) == {"id", "error"}
    assert wrong["id"] == (1 if isinstance(bad, dict) else None)
    assert message in wrong["error"]
    assert "3 lines, 1 failed" in done.err


def test_a_line_that_is_not_utf8(diffill, sample):
    source = sample(b'{"id": 1, "prefix": "\xff", "suffix": ""}\n', "in.jsonl")
    done = diffill("batch", source, "-")
    assert (done.code, "not JSON" in done.json["error"]) == (1, True)


def test_standard_input(diffill, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines(case(7)) + b"\n")))
    done = diffill("batch", "-", "-")
    assert (done.code, done.json["text"]) == (0, "a7")


def test_what_does_not_validate_is_an_answer(diffill, sample):
    source = sample(lines(case(1)), "in.jsonl")
    done = diffill("batch", source, "-", engine="invalid")
    assert "1 lines, 0 failed, 1 refused" in done.err
    assert done.code == 0
    assert done.json["verdict"] == {"ok": False, "reasons": ["line 1: a new syntax error"]}


def test_an_engine_that_never_answers_a_line_ends_the_batch(diffill, sample):
    source = sample(lines(case(1), case(2)), "in.jsonl")
    done = diffill("batch", source, "-", engine="dies")
    assert (done.code, done.out) == (3, "")


def test_unusable_files(diffill, sample):
    source = sample(lines(case(1)), "in.jsonl")
    assert diffill("batch", "missing", "-").code == 2
    assert diffill("batch", source, "no/such/folder").code == 2
    assert diffill("batch", source, source).code == 2
    assert source.read_bytes() == lines(case(1))


def test_older_results_outlive_a_model_that_cannot_be_had(diffill, sample):
    source, target = sample(lines(case(1)), "in.jsonl"), sample("old\n", "out.jsonl")
    assert diffill("batch", source, target, "--model", "nope", engine=None).code == 2
    assert target.read_text() == "old\n"
    assert diffill("batch", source, target).code == 0
    assert json.loads(target.read_text())["id"] == 1


def test_what_standard_output_is_appended_to_stays(sample):
    source, log = sample(lines(case(1)), "in.jsonl"), sample("precious\n", "log")
    with log.open("ab") as out:
        process = start("echo", "batch", source, "-", stdout=out)
    process.communicate(timeout=30)
    kept, answer = log.read_text().splitlines()
    assert (process.returncode, kept, json.loads(answer)["text"]) == (0, "precious", "a1")
