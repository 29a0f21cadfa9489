import random

import pytest

from engine.evaluation.scores import (
    changed_lines,
    edit_similarity,
    estimate,
    excess_lines,
    first_line,
    is_exact,
    keeps_white_space,
    parses,
)


def test_the_interval_of_independent_cases_is_the_binomial_one():
    values = [1.0] * 300 + [0.0] * 100
    found = estimate(values, [str(i) for i in range(400)])
    assert found.mean == 0.75
    half = 1.96 * (0.75 * 0.25 / 400) ** 0.5
    assert found.low == pytest.approx(0.75 - half, abs=0.008)
    assert found.high == pytest.approx(0.75 + half, abs=0.008)


def test_cases_of_one_task_count_as_one():
    rng = random.Random(0)
    tasks = [float(rng.random() < 0.5) for _ in range(50)]
    values = [value for value in tasks for _ in range(10)]
    grouped = estimate(values, [str(i // 10) for i in range(500)])
    single = estimate(tasks, [f"{i // 1}" for i in range(50)])
    apart = estimate(values, [str(i) for i in range(500)])
    assert grouped.high - grouped.low == pytest.approx(single.high - single.low, rel=0.1)
    assert grouped.high - grouped.low > 2 * (apart.high - apart.low)


def test_groups_of_unequal_size_weigh_by_their_cases():
    assert estimate([1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"]).mean == 0.75


def test_the_same_seed_gives_the_same_interval():
    values, groups = [1.0, 0.0, 1.0, 0.0, 0.0], list("abcde")
    assert estimate(values, groups, 3) == estimate(values, groups, 3)
    assert estimate([1.0] * 5, groups).low == 1.0


@pytest.mark.parametrize(
    ("text", "truth", "distance", "length"),
    [
        ("kitten", "sitting", 3, 7),
        ("", "", 0, 1),
        ("", "abc", 3, 3),
        ("abc", "", 3, 3),
        ("  same\n", "same", 0, 4),
        ("flaw", "lawn", 2, 4),
        ("ab", "ba", 2, 2),
    ],
)
def test_edit_similarity(text, truth, distance, length):
    assert edit_similarity(text, truth) == pytest.approx(1 - distance / length)
    assert edit_similarity(truth, text) == edit_similarity(text, truth)


def test_exact_match_ignores_white_space_outside_alone():
    assert is_exact("    a = 1\n", "a = 1")
    assert not is_exact("a  = 1", "a = 1")


def test_first_line():
    assert first_line("a\nb\n") == "a\n"
    assert first_line("a") == "a"


def test_parses():
    assert parses("def f():\n", "    return '\\d'\n", "", "python")
    assert not parses("def f():\n", "", "", "python")
    assert not parses("x = ", "(" * 5000, "", "python")
    assert parses("fn f() {", " 1 ", "}\n", "rust")
    assert not parses("fn f() {", " ( ", "}\n", "rust")


OLD = "def f(a):\n    b = a\n    return b\n"


@pytest.mark.parametrize(
    ("new", "changed", "excess", "kept"),
    [
        (OLD, 0, 0, True),
        (OLD.replace("return b", "return 2 * b"), 2, 0, True),
        (OLD.replace("return b", "return 2 * b").replace("b = a", "b = a  # a"), 4, 2, True),
        (OLD.replace("    b = a", "  b = a"), 2, 0, False),
        (OLD + "\n\ndef g():\n    pass\n", 4, 2, True),
    ],
)
def test_what_an_edit_changes_and_what_it_should_not(new, changed, excess, kept):
    expected = OLD.replace("return b", "return b + b")
    assert changed_lines(OLD, new) == changed
    assert excess_lines(OLD, new, expected) == excess
    assert keeps_white_space(OLD, new, expected) is kept


def test_an_expected_indentation_is_no_fault():
    expected = "if x:\n    a\n"
    assert keeps_white_space("a\n", expected, expected)
    assert not keeps_white_space("a\n", expected, "a\nb\n")
