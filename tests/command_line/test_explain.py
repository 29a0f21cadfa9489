"""How one edit came about, for a person and for a program."""

import io
import re
import sys

import pytest

from editor_clients.command_line.explanation import Page
from engine.protocol import (
    Attempt,
    Candidate,
    EditRequest,
    EditResult,
    EditStats,
    Explanation,
    Frame,
    FrameToken,
    Sight,
    TokenState,
)
from grammars.span import Replacement, Span
from grammars.verdict import Verdict

CODE = "import os\n\n\ndef f(x):\n    work()\n"
PAGE = """\
a.py:5  fill
python, effort balanced, seed 0

canvas  the model saw all of the file: 9 tokens
      3
      4  def f(x):
      5      ⟦work()⟧
      6

draft 1  the likeliest tokens: 3 tokens, 61% sure on average
      1  ░░
      2  (░
  least sure of 'first()' (25%)
  as it is: refused: line 2: a new syntax error
    (first()

draft 2  drawn with seed 7: 3 tokens, 61% sure on average
      1  first
      2  first()
  as it is: accepted
    first()

offered  draft 2; 2 texts tried, 1 refused
3 steps, 4 forward calls, 5 tokens, 0.50 s, 10.0 tokens/s
"""


def test_the_page(diffill, sample):
    path = sample(CODE)
    done = diffill("explain", "a.py", "--range", "5:5-5:11")
    assert (done.code, done.err, path.read_text()) == (0, "", CODE)
    assert done.out == PAGE


def test_the_page_of_a_replay_file_is_the_same(diffill, sample):
    sample(CODE)
    diffill("fill", "a.py", "--range", "5:5-5:11", "--record", "run.jsonl")
    assert (
        diffill("explain", "--replay", "run.jsonl").out
        == diffill("explain", "a.py", "--range", "5:5-5:11").out
    )


def test_colours(diffill, sample):
    sample(CODE)
    shown = diffill("explain", "a.py", "--range", "5:5-5:11", "--color", "always").out
    for part in ("\x1b[1mcanvas\x1b[0m", "\x1b[31mrefused\x1b[0m", "\x1b[32m()\x1b[0m"):
        assert part in shown


def test_a_text_that_comes_twice_is_shown_once(diffill, sample):
    sample("x = 1\n")
    done = diffill("explain", "a.py", "--range", "1:1-1:1", engine="twice")
    assert "as it is: accepted; the same text as of draft 1" in done.out
    assert done.out.count("    first()") == 1


def test_places_filled_together_have_their_drafts_in_common():
    """Each has its own steps and texts of a draft, and a later draft goes on from it."""
    spans, ok, refused = (Span(4, 5), Span(10, 11)), Verdict(True), Verdict(False, ("no",))

    def frame(span, step, text, draft):
        return Frame(span, step, (FrameToken(text, TokenState.COMMITTED, 0.9),), draft)

    frames = [frame(0, 1, "x", 0), frame(1, 1, "(", 0), frame(1, 2, "[", 0), frame(1, 3, "x", 1)]
    attempts = (
        Attempt(0, 0, "canvases of 2, 2 tokens", "x", ok, -0.1, 1, 2),
        Attempt(1, 0, "canvases of 2, 2 tokens", "[", refused, -0.1, 1, 2),
        Attempt(1, 1, "a canvas of 2 tokens", "x", ok, -0.1, 1, 3),
    )
    made = tuple(Replacement(span, "x") for span in spans)
    result = EditResult(
        (Candidate(made, ok, -0.1, (ok, ok)),),
        EditStats(3, 3, 2, 1.0),
        explanation=Explanation((Sight(0, "a = ", "\n", 9), Sight(1, "a = ", "\n", 9)), attempts),
    )
    request = EditRequest(text="a = 1\nb = 2\n", spans=spans, path="a.py")
    page = Page(lambda text, _: text, 80).text(request, result, frames)
    first, second = page.split("canvas  ")[1:]
    assert re.findall(r"^ +(\d+)  (\S)$", first, re.MULTILINE) == [("1", "x")]
    assert re.findall(r"^ +(\d+)  (\S)$", second, re.MULTILINE) == [
        ("1", "("),
        ("2", "["),
        ("1", "x"),
    ]
    assert page.count("draft 1  ") == 2 and page.count("draft 2  ") == 1
    assert "offered  draft 1, draft 2; 3 texts tried, 1 refused" in page


def test_json(diffill, sample):
    sample(CODE)
    told = diffill("explain", "a.py", "--range", "5:5-5:11", "--json").json
    assert (told["schema"], told["where"]) == (1, "a.py:5")
    assert [f["draft"] for f in told["frames"]] == [0, 0, 1, 1]
    assert [a["verdict"]["ok"] for a in told["explanation"]["attempts"]] == [False, True]
    assert told["candidates"][0]["replacements"][0][2] == "first()"
    assert told["request"]["text"] == CODE


def test_standard_input(diffill, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(CODE.encode())))
    done = diffill("explain", "-", "--stdin-filename", "a.py", "--range", "5:5-5:11")
    assert (done.code, done.out) == (0, PAGE)


def test_a_refused_edit(diffill, sample):
    sample("INVALID\n")
    done = diffill("explain", "a.py", "--lines", "1", "--instruction", "x")
    assert done.code == 4
    assert "a.py:1  rewrite: x\n" in done.out
    assert "nothing offered  2 texts tried, 2 refused: line 1: a new syntax error" in done.out


def test_one_of_many(diffill, sample):
    sample("def f():\n    pass\n", "a.py")
    sample("def g():\n    pass\n\n\ndef h():\n    pass\n", "b.py")
    done = diffill("explain", ".", "--holes")
    assert "a.py:2  fill" in done.out
    assert "the first of 3 places; --edit N explains another" in done.err
    assert "b.py:6  fill" in diffill("explain", ".", "--holes", "--edit", "3").out
    done = diffill("explain", ".", "--holes", "--edit", "4")
    assert (done.code, "There are 3 places" in done.err) == (2, True)


def test_what_steers_a_terminal_is_spelt_out(diffill, sample):
    sample("x = '\x1b[31m'\ny\n")
    done = diffill("explain", "a.py", "--lines", "2", "--color", "always")
    assert "\\x1b[31m" in done.out
    assert "'\x1b" not in done.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a.py"], "which places?"),
        (["--lines", "1"], "which files?"),
        (["a.py", "--lines", "99"], "99"),
        (["a.py", "--symbol", "nothing"], "There are 0 places"),
        (["a.py", "--replay", "run.jsonl"], "--replay has its places"),
        (["a.py", "--lines", "1", "--edit", "0"], "0 is less than 1"),
    ],
)
def test_wrong_arguments(diffill, sample, arguments, told):
    sample(CODE)
    done = diffill("explain", *arguments, engine="dies")
    assert (done.code, told in done.err) == (2, True), done.err
