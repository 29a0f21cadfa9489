import json
from dataclasses import replace

import pytest

from engine.errors import ConfigError
from engine.protocol import (
    MAX_INSTRUCTION_CHARS,
    MAX_TEXT_CHARS,
    Attempt,
    Candidate,
    EditRequest,
    EditResult,
    EditStats,
    Effort,
    Excerpt,
    Explanation,
    Frame,
    FrameToken,
    Sight,
    TokenState,
)
from grammars.span import Replacement, Span
from grammars.verdict import Verdict

TEXT = "a = 1\r\nb = '😀'\n"
REQUEST = EditRequest(text=TEXT, spans=(Span(0, 5),))
FULL = EditRequest(
    text=TEXT,
    spans=(Span(7, 10), Span(0, 5), Span(5, 5)),
    language="python",
    path="a.py",
    context=(Excerpt("b.py", "x = '😀'\n"), Excerpt("c.py", "")),
    instruction="rename \u2028 it",
    effort=Effort.THOROUGH,
    single_line=True,
    max_tokens=3,
    candidates=2,
    seed=7,
    deadline_s=1.5,
    frames=True,
    explain=True,
)
FRAME = Frame(1, 4, tuple(FrameToken("é\n", state, 0.25) for state in TokenState), draft=2)
RESULT = EditResult(
    (
        Candidate(
            (Replacement(Span(0, 5), "x\r\n"), Replacement(Span(7, 7), "")), Verdict(True), -0.5
        ),
        Candidate((), Verdict(False, ("line 1: no",), checked=False), -2.0),
    ),
    EditStats(1, 2, 3, 0.5),
)
EXPLAINED = replace(
    RESULT,
    is_cut=True,
    explanation=Explanation(
        (Sight(0, "a\r\n", "", 3),),
        (Attempt(0, 1, "drawn", "x\r\n", Verdict(False, ("line 1: no",)), -0.5, 3, 2),),
    ),
)


@pytest.mark.parametrize("message", [REQUEST, FULL, FRAME, RESULT, EXPLAINED])
def test_messages_survive_the_wire(message):
    line = json.dumps(message.to_json())
    assert "\n" not in line
    assert type(message).from_json(json.loads(line)) == message


def test_defaults_need_not_be_sent():
    assert EditRequest.from_json({"text": TEXT, "spans": [[0, 5]]}) == REQUEST


def test_the_best_candidate_is_the_first():
    assert RESULT.best is RESULT.candidates[0]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"text": "x" * (MAX_TEXT_CHARS + 1)}, "the text has 1,048,577 characters"),
        ({"spans": ()}, "spans is empty"),
        ({"spans": (Span(3, len(TEXT) + 1),)}, f"span ends at {len(TEXT) + 1}"),
        ({"spans": (Span(4, 8), Span(0, 5))}, "two spans overlap"),
        ({"spans": (Span(3, 3), Span(3, 3))}, "two spans overlap"),
        ({"spans": (Span(3, 3), Span(0, 5))}, "two spans overlap"),
        ({"instruction": " \n"}, "the instruction is empty"),
        ({"instruction": "x" * (MAX_INSTRUCTION_CHARS + 1)}, "the instruction has 8,001"),
        ({"instruction": "x", "spans": (Span(3, 3),)}, "the span is empty"),
        ({"max_tokens": 0}, "max_tokens is 0, not between 1 and 1024"),
        ({"max_tokens": 1025}, "max_tokens is 1025"),
        ({"candidates": 0}, "candidates is 0, not between 1 and 16"),
        ({"candidates": 17}, "candidates is 17"),
        ({"deadline_s": -0.1}, "deadline_s is -0.1"),
        ({"deadline_s": 3601.0}, "deadline_s is 3601.0"),
        ({"deadline_s": float("nan")}, "deadline_s is nan"),
    ],
)
def test_bounds_are_told(changes, told):
    with pytest.raises(ConfigError, match=told):
        replace(REQUEST, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "x" * MAX_TEXT_CHARS},
        {"spans": (Span(0, 3), Span(3, 3), Span(3, len(TEXT)))},
        {"instruction": "x" * MAX_INSTRUCTION_CHARS},
        {"max_tokens": 1, "candidates": 1, "deadline_s": 0.0},
        {"max_tokens": 1024, "candidates": 16, "deadline_s": 3600.0},
    ],
)
def test_bounds_are_within(changes):
    made = replace(REQUEST, **changes)
    assert {name: getattr(made, name) for name in changes} == changes


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"text": TEXT}, "spans"),
        ({"spans": [[0, 5]]}, "text"),
        ({"text": TEXT, "spans": [[0]]}, "end"),
        ({"text": TEXT, "spans": [[5, 0]]}, r"not a span: 5\.\.0"),
        ({"text": TEXT, "spans": [["a", "b"]]}, "str"),
        ({"text": TEXT, "spans": 3}, "int"),
        ({"text": None, "spans": [[0, 5]]}, "NoneType"),
        ({"text": TEXT, "spans": [[0, 5]], "effort": "extreme"}, "extreme"),
        ({"text": TEXT, "spans": [[0, 5]], "max_tokens": "3"}, "str"),
        ({"text": TEXT, "spans": [[0, 5]], "colour": 1}, "colour"),
        ([], "spans"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_request_is_told(data, told):
    with pytest.raises(ConfigError, match=told):
        EditRequest.from_json(data)


def test_half_a_surrogate_pair_becomes_a_character_of_its_width():
    half, whole = "x = '\ud83d'", "x = '\ufffd'"
    made = replace(
        FULL, text=TEXT + half, path=half, instruction=half, context=(Excerpt(half, half),)
    )
    expected = replace(
        FULL, text=TEXT + whole, path=whole, instruction=whole, context=(Excerpt(whole, whole),)
    )
    assert made == expected == EditRequest.from_json(json.loads(json.dumps(made.to_json())))
    assert replace(FULL, text=TEXT + "😀").text == TEXT + "😀"
