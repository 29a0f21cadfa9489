import random
from dataclasses import replace
from itertools import islice

import pytest
import tiny
from typist import Typist

from engine.config import EFFORTS
from engine.control import Control
from engine.prefix_cache import PrefixCache
from engine.protocol import Effort
from engine.rewrite import (
    Rewriter,
    common_indentation,
    keep_unchanged,
    with_indentation,
    without_indentation,
)
from engine.stopping import HoleShape
from grammars.span import Span
from grammars.verdict import Verdict


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("", ""),
        ("\n  \n", ""),
        ("a\n  b", ""),
        ("  a\n    b\n", "  "),
        ("    a\n\n  b\n \n   c", "  "),
        ("\ta\n\t\tb", "\t"),
        ("\t  a\n\t\tb", "\t"),
        ("\ta\n  b", ""),
        ("  a", "  "),
    ],
)
def test_the_indentation_all_lines_share(text, base):
    assert common_indentation(text) == base


def random_lines(rng):
    """Lines with distinct content, tabs, trailing blanks, and blank lines that hold blanks."""
    lines = []
    for number in range(rng.randrange(1, 12)):
        content = rng.choice([f"line {number}", f"x{number}:\t# 😀", ""])
        blanks = rng.choice(["", "", " ", "\t", "  \t"])
        lines.append(rng.choice(["", "  ", "\t"]) + content + blanks)
    return lines


@pytest.mark.parametrize("seed", range(10))
def test_indentation_comes_back(seed):
    rng = random.Random(seed)
    for _ in range(50):
        lines = random_lines(rng)
        base = rng.choice(["    ", "\t", "\t  "])
        text = "\n".join(base + line if line.strip() else "" for line in lines)
        shared = common_indentation(text)
        assert shared.startswith(base) or not text.strip()
        assert with_indentation(without_indentation(text, shared), shared) == text


def test_only_lines_with_the_indentation_lose_it():
    assert without_indentation("    a\n  b\n\n      c", "    ") == "a\n  b\n\n  c"
    assert with_indentation("a\n\n \nb", "  ") == "  a\n\n \n  b"


@pytest.mark.parametrize("seed", range(10))
def test_a_text_that_lost_its_trailing_blanks_comes_back_whole(seed):
    rng = random.Random(seed)
    for _ in range(50):
        lines = random_lines(rng)
        stripped = [line.rstrip() for line in lines]
        assert keep_unchanged("\n".join(lines), "\n".join(stripped)) == "\n".join(lines)


@pytest.mark.parametrize("seed", range(10))
def test_lines_that_stay_are_byte_identical(seed):
    rng = random.Random(seed)
    for _ in range(50):
        lines = [line for line in random_lines(rng) if line.strip()]
        expected, shown = [], []
        for number, line in enumerate(lines):
            match rng.randrange(5):
                case 0:
                    expected.append(f"new {number}")
                    shown.append(f"new {number} ")
                case 1:
                    pass
                case 2:
                    expected += [line, f"added {number}"]
                    shown += [line.rstrip(), f"added {number}"]
                case _:
                    expected.append(line)
                    shown.append(line.rstrip() + rng.choice(["", " "]))
        got = keep_unchanged("\n".join(lines), "\n".join(shown))
        assert got == "\n".join(expected)


def test_a_change_of_indentation_is_a_change():
    assert keep_unchanged("  a \n  b ", "    a\n  b") == "    a\n  b "


def tries(answer, text, span, count=1, effort=Effort.QUICK):
    """The first texts for a span, and the questions the model was asked."""
    model = Typist(answer)
    rewriter = Rewriter(model, tiny.tokenizer(), tiny.FAMILY, PrefixCache(model, 0))
    shape = HoleShape(text[: span.start], text[span.end :], span.of(text))
    found = rewriter.tries(shape, "python", "Do it.", EFFORTS[effort], 0, Control())
    return [draft.text for draft in islice(found, count)], model.questions


def always(text):
    return lambda question, begun: (text + "\n```\nThat is all.", {})


def place_of(text, part):
    return Span(text.index(part), text.index(part) + len(part))


def test_a_method_is_shown_alone_and_without_its_indentation():
    text = "class A:\n    def f(self):\n        return 1\n\n    def g(self):\n        pass\n"
    place = place_of(text, "    def f(self):\n        return 1\n")
    (new,), (question,) = tries(always("def f(self):\n    return 2"), text, place)
    assert new == "    def f(self):\n        return 2\n"
    assert "```python\ndef f(self):\n    return 1\n```" in question
    assert "class A" not in question
    assert "def g" not in question


@pytest.mark.parametrize(
    ("text", "part", "answer", "expected"),
    [
        ("export let a = 1;\n", "let a = 1;", " let b = 1;", "let b = 1;"),
        ("    x = f(1)\n", "f(1)", " g(1)", "g(1)"),
        ("x = f(1) + 2\n", "f(1)", " g(1) + 2", "g(1)"),
        ("x = f(1) + 2\n", "f(1)", " g(1)", "g(1)"),
        ("    if a:\n        b\n", "if a:\n        b", "if c:\n    b", "if c:\n        b"),
        ("\tif a:\n\t    b\n", "if a:\n\t    b", "if c:\n    b", "if c:\n\t    b"),
    ],
)
def test_what_stands_beside_the_region_on_its_lines_is_shown_and_stays(
    text, part, answer, expected
):
    place = place_of(text, part)
    before = text[: place.start].strip()
    (new,), (question,) = tries(always(before + answer), text, place)
    assert new == expected
    assert before in question


def test_an_unchanged_answer_is_taken_up_again_where_it_was_least_sure():
    old = "a = 1\nb = 2\n"

    def answer(question, begun):
        if begun.startswith("a = 1\nb = 3"):
            return "a = 1\nb = 3\n```", {}
        if begun.startswith("a = 4"):  # in doubt again, so this answer is less likely
            return "a = 4\nb = 2\n```", dict.fromkeys(range(5, 9), "+")
        if begun.startswith("a = 1\nb  "):
            return "a = 1\nb  = 2\n```", {}
        return "a = 1\nb = 2\n```", {4: "4", 8: " ", 10: "3"}

    made, questions = tries(answer, old, Span(0, len(old)), 6)
    assert made[0] == old
    assert made[1:3] == ["a = 1\nb = 3\n", "a = 4\nb = 2\n"], "white space alone is no answer"
    assert "a = 1\nb  = 2\n" not in made
    assert len(questions) == 2, "then the other wording is tried"


def test_a_refused_answer_leads_to_the_other_wording():
    def answer(question, begun):
        text = "a = (" if "Instruction:" in question else "a = 2"
        return text + "\n```", {}

    made, questions = tries(answer, "a = 1\n", Span(0, 6), 2)
    assert made == ["a = (\n", "a = 2\n"]
    assert len(questions) == 2


def test_braces_and_fences_in_code_and_instruction_are_text():
    (new,), (question,) = tries(always("a = {'{code}': 2}"), "a = {'{code}': 1}\n", Span(0, 18))
    assert new == "a = {'{code}': 2}\n"
    assert "a = {'{code}': 1}" in question


@pytest.mark.parametrize("is_followed", [True, False])
def test_an_answer_without_an_end_is_as_long_in_any_cache(is_followed):
    old = "".join(f"a{n} = {n}\n" for n in range(40))
    endless = 30 * (old if is_followed else old.upper())
    model, effort = Typist(lambda question, begun: (endless, {})), EFFORTS[Effort.QUICK]
    contexts = PrefixCache(model)
    rewriter = Rewriter(model, tiny.tokenizer(), tiny.FAMILY, contexts)

    def first(room):
        bounded = replace(effort, max_fill=room)
        shape = HoleShape("", "", old)
        return next(rewriter.tries(shape, "python", "Do it.", bounded, 0, Control()))

    cold = first(7)
    assert cold.is_cut_off
    assert cold.tokens == 2 * len(old.strip("\n") + "\n```") + 7
    first(1000)
    assert first(7) == cold


def test_each_draft_bears_the_number_it_was_begun_with():
    """Second choices are decoded all before the first of them is offered."""
    old = "a = 1\nb = 2\n"

    def answer(question, begun):
        if begun.startswith("a = 1\nb = 3"):
            return "a = 1\nb = 3\n```", {}
        if begun.startswith("a = 4"):
            return "a = 4\nb = 2\n```", dict.fromkeys(range(5, 9), "+")
        return "a = 1\nb = 2\n```", {4: "4", 10: "3"}

    model, control = Typist(answer), Control()
    rewriter = Rewriter(model, tiny.tokenizer(), tiny.FAMILY, PrefixCache(model, 0))
    shape, effort = HoleShape("", "", old), EFFORTS[Effort.QUICK]
    drafts = list(islice(rewriter.tries(shape, "python", "Do it.", effort, 0, control), 3))
    assert [draft.text for draft in drafts[1:]] == ["a = 1\nb = 3\n", "a = 4\nb = 2\n"]
    numbers = [draft.number for draft in drafts]
    assert numbers[0] == 0 and len({*numbers}) == 3
    assert [draft.how for draft in drafts[1:]] == ["a second choice"] * 2
    for draft in drafts:
        control.judged(draft, draft.text, Verdict(True))
    assert [attempt.draft for attempt in control.explanation.attempts] == numbers
