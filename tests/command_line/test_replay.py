"""What was asked of the engine can be written down, and asked again."""

import json
import re
from pathlib import Path

import pytest

RECORD = ("fill", ".", "--holes", "--record", "run.jsonl")


@pytest.fixture
def recorded(diffill, sample):
    sample("def f():\n    pass\n\n\ndef g():\n    ...\n")
    assert diffill(*RECORD, "--seed", "3").code == 0
    return Path("run.jsonl")


def test_the_same_answers(diffill, recorded):
    done = diffill("replay", recorded)
    assert (done.code, done.out) == (0, "1  a.py:2  the same\n2  a.py:7  the same\n")
    assert "2 edits replayed, 0 with another answer" in done.err


def test_another_answer_is_shown(diffill, recorded):
    done = diffill("replay", recorded, "--edit", "2", engine="mends")
    assert done.code == 1
    first, *changes = done.out.splitlines()
    assert first == "2  a.py:7  another text"
    assert {"-first()", "+pass"} <= {*changes}
    asked = diffill("replay", recorded, "--json", engine="mends").out.splitlines()
    told = [json.loads(line) for line in asked]
    assert [(t["schema"], t["edit"], t["same"]) for t in told] == [(1, 1, False), (1, 2, False)]


def test_all_options_of_the_request_are_kept(diffill, recorded):
    told = [json.loads(line) for line in recorded.read_text().splitlines()]
    assert [t["schema"] for t in told] == [1, 1]
    assert [t["request"]["seed"] for t in told] == [3, 3]
    assert "first()" in told[1]["request"]["text"], "the second sees the first's new text"
    done = diffill("replay", recorded, "--edit", "1", engine="tells")
    [asked] = re.findall("^ASKED (.*)$", done.err, re.MULTILINE)
    assert json.loads(asked) == told[0]["request"]


def test_no_answer_is_recorded_too(diffill, sample):
    sample("x = 1\n")
    place = ("fill", "a.py", "--lines", "1")
    assert diffill(*place, "--record", "run.jsonl", engine="config").code == 2
    assert json.loads(Path("run.jsonl").read_text())["error"] == "no such"
    assert diffill("replay", "run.jsonl", engine="config").out == "1  a.py:1  the same\n"
    done = diffill("replay", "run.jsonl")
    assert (done.code, done.out) == (1, "1  a.py:1  there was no answer then: no such\n")


def test_an_older_record_lives_until_there_is_a_new_one(diffill, recorded):
    before = recorded.read_bytes()
    assert diffill(*RECORD[:3], "--record", recorded, "--max-tokens", "0").code == 2
    assert recorded.read_bytes() == before
    assert diffill(*RECORD).code == 0
    assert len(recorded.read_text().splitlines()) == 2


@pytest.mark.parametrize("option", ["--record", "--patch"])
def test_what_is_something_else_is_not_lost(diffill, sample, option):
    path = sample("x = 1\n")
    done = diffill("fill", "a.py", "--lines", "1", option, "a.py", engine="dies")
    assert (done.code, path.read_text()) == (2, "x = 1\n")
    assert "a.py: holds something else" in done.err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "holds 0 edits"),
        ("x = 1\n", "run.jsonl:1: not a line of a replay file"),
        ('{"schema": 1}\n', "run.jsonl:1: not a line of a replay file"),
        ('{"schema": 9}\n', "run.jsonl: schema 9, this Diffill reads 1"),
        ("[1]\n", "run.jsonl:1: not a line of a replay file"),
        (b"\xff\n", "run.jsonl:1: not a line of a replay file"),
    ],
)
@pytest.mark.parametrize("command", ["replay", "explain"])
def test_what_is_no_replay_file(diffill, sample, command, content, told):
    path = sample(content, "run.jsonl")
    option = ["--replay"] if command == "explain" else []
    done = diffill(command, *option, path.name)
    assert (done.code, told in done.err) == (2, True), done.err


def test_no_such_edit(diffill, recorded):
    assert diffill("replay", "nowhere").err == "diffill: nowhere: no such file\n"
    assert "holds 2 edits" in diffill("replay", recorded, "--edit", "3").err
