"""Holes and regions at the ends of files, in broken ones, between tabs, blanks and CRLF."""

import random
import re

import pytest
import tiny
from typist import Typist

from engine.control import Control
from engine.loading import editor_on
from engine.protocol import EditRequest, Effort
from grammars.lines import line_end
from grammars.span import Span, apply
from grammars.validation import validate

BROKEN = "def a(:\n    return 1\n\n\ndef b(x):\n    return x\n"
MIXED = "class A:\n\tdef f(self):\n\t    if self:\n            return 1\n\treturn 2\n"


@pytest.fixture(scope="module")
def random_editor():
    return editor_on(tiny.transformer(tiny.reference()), tiny.tokenizer(), tiny.FAMILY)


def edit(editor, text, *spans, **options):
    options = {"language": "python", "effort": Effort.QUICK} | options
    request = EditRequest(text=text, spans=spans, **options)
    result = editor.edit(request, Control())
    best = result.best
    made = apply(text, best.replacements)
    assert [r.span for r in best.replacements] == sorted(spans)
    if best.verdict.ok:
        assert validate(text, best.replacements, request.language).ok
    for replacement in best.replacements:
        assert {*re.findall(r"\r\n|\n|\r", replacement.text)} <= {line_end(text)}
    return best, made


def rewrite(text, part, answer, **options):
    """Rewrite a part of a text by a model that answers as told."""
    editor = editor_on(Typist(lambda *_: (answer + "\n```", {})), tiny.tokenizer(), tiny.FAMILY)
    at = text.index(part)
    return edit(editor, text, Span(at, at + len(part)), instruction="Do it.", **options)


@pytest.mark.parametrize("instruction", [None, "Do it."])
@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("a = 1", Span(0, 5)),
        ("a = 1\n", Span(0, 5)),
        ("a = 1\nb = 2", Span(6, 11)),
        ("a = 1\r\nb = 2\r\n", Span(0, 7)),
        ("a = 1\r\nb = 2", Span(7, 12)),
        ("\n\n  \n", Span(0, 5)),
        (BROKEN, Span(4, 20)),
        (BROKEN, Span(BROKEN.index("def b"), len(BROKEN))),
        (MIXED, Span(MIXED.index("\t    if"), MIXED.index("\treturn 2"))),
    ],
)
def test_whatever_a_random_model_says_the_rest_of_the_file_stays(
    random_editor, text, span, instruction
):
    edit(random_editor, text, span, instruction=instruction, max_tokens=9)


@pytest.mark.parametrize("seed", range(4))
def test_32_spans_of_a_file_are_rewritten_in_their_order(seed):
    text = "".join(f"value_{n} = {n}\n" for n in range(40))
    starts = sorted(random.Random(seed).sample(range(40), 32))
    lines = [m for m in re.finditer(r"value_(\d+) = \d+", text) if int(m[1]) in starts]

    def answer(question, begun):
        asked = re.search(r"value_\d+ = \d+", question)[0]
        return f"{asked}00\n```", {}

    editor = editor_on(Typist(answer), tiny.tokenizer(), tiny.FAMILY)
    spans = [Span(m.start(), m.end()) for m in lines]
    best, made = edit(editor, text, *spans[::-1], instruction="Add two noughts.")
    assert best.verdict.ok
    expected = [f"value_{n} = {n}{'00' * (n in starts)}" for n in range(40)]
    assert made.splitlines() == expected


def test_a_file_without_a_final_line_end_gets_none():
    assert rewrite("a = 1\nb = 2", "b = 2", "b = 3")[1] == "a = 1\nb = 3"


def test_crlf_and_tabs_stay_and_unchanged_lines_are_the_same_bytes():
    text = "class A:\r\n\tdef f(self):  \r\n\t\tx = 1\t\r\n\t\treturn x\r\n"
    part = text[text.index("\tdef") :]
    best, made = rewrite(text, part, "def f(self):\n\tx = 1\n\treturn 2 * x")
    assert best.verdict.ok
    assert made == text.replace("return x", "return 2 * x")


def test_lines_of_tabs_and_blanks_keep_theirs():
    part = MIXED[MIXED.index("\tdef") :]
    answer = part.replace("return 1", "return 3").rstrip("\n")
    assert rewrite(MIXED, part, answer)[1] == MIXED.replace("return 1", "return 3")


def test_old_errors_elsewhere_are_no_reason_to_refuse():
    best, made = rewrite(BROKEN, "    return x\n", "return 2 * x")
    assert best.verdict.ok
    assert made == BROKEN.replace("return x", "return 2 * x")


def test_an_error_can_be_mended_by_a_rewrite_of_it():
    best, made = rewrite(BROKEN, "def a(:\n    return 1\n", "def a():\n    return 1")
    assert best.verdict.ok
    assert made == BROKEN.replace("a(:", "a():")


def test_a_new_error_beside_an_old_one_is_refused():
    assert not rewrite(BROKEN, "    return x\n", "return (x")[0].verdict.ok


def test_a_definition_that_is_gone_is_refused():
    best, _ = rewrite(BROKEN, "def b(x):\n    return x\n", '"""Return x."""')
    assert best.verdict.reasons == ("the model drops the definition it should edit",)
    best, _ = rewrite(BROKEN, "def b(x):\n    return x\n", "def c(x):\n    return x")
    assert best.verdict.ok, "another name is another matter"


def test_a_giant_line_above_is_no_reason_to_refuse():
    text = "x = '" + "a" * 20_000 + "'\nb = 2\n"
    assert rewrite(text, "b = 2", "b = 3")[1] == text.replace("b = 2", "b = 3")


def test_what_the_model_cannot_read_of_a_long_context_does_not_matter(random_editor):
    text = "x = 1\n" * 3000
    middle = len(text) // 2
    edit(random_editor, text, Span(middle, middle + 6), max_tokens=4)
    edit(random_editor, text, Span(0, 0), max_tokens=4)
    edit(random_editor, text, Span(len(text), len(text)), max_tokens=4)
