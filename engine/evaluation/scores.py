"""Scores of one fill, and of many with their uncertainty."""

from __future__ import annotations

import ast
import difflib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grammars.span import Replacement, Span
from grammars.validation import validate

RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float


def estimate(values: Sequence[float], groups: Sequence[str], seed: int = 0) -> Estimate:
    """Return the mean of values, one a case, by resampling whole groups of cases.

    Holes of one task rise and fall together: counted singly they would promise too much. The
    same groups and seed draw the same resamples. Values that are all alike have no width.
    """
    assert len(values) == len(groups) > 0
    names = {name: i for i, name in enumerate(sorted(set(groups)))}
    where = np.array([names[group] for group in groups])
    sums = np.bincount(where, weights=np.asarray(values, dtype=float))
    counts = np.bincount(where)
    drawn = np.random.default_rng(seed).integers(0, len(names), (RESAMPLES, len(names)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return Estimate(float(sums.sum() / counts.sum()), float(low), float(high))


def first_line(text: str) -> str:
    """Return a text's first line, its line end included."""
    line, newline, _ = text.partition("\n")
    return line + newline


def is_exact(text: str, truth: str) -> bool:
    """Tell whether two fills agree but for the white space around them."""
    return text.strip() == truth.strip()


def edit_similarity(text: str, truth: str) -> float:
    """Return 1 - Levenshtein distance / the longer length, of the stripped texts; 1 is equal."""
    a, b = text.strip(), truth.strip()
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above_left, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            cost = above_left + (x != y)
            above_left = row[j]
            row[j] = min(cost, row[j] + 1, row[j - 1] + 1)
    return 1 - row[-1] / max(len(a), len(b), 1)


def changed_lines(old: str, new: str) -> int:
    """Count the lines a diff would show as removed or added."""
    a, b = old.split("\n"), new.split("\n")
    kept = sum(block.size for block in _matching(a, b))
    return len(a) + len(b) - 2 * kept


def excess_lines(old: str, new: str, expected: str) -> int:
    """Count the lines `new` changes beyond as many as the expected edit does."""
    return max(0, changed_lines(old, new) - changed_lines(old, expected))


def keeps_white_space(old: str, new: str, expected: str) -> bool:
    """Tell whether no line but those of the expected edit differs from its old one in blanks."""
    return _respaced(old, new) <= _respaced(old, expected)


def _respaced(old: str, new: str) -> set[int]:
    """Return the numbers of old lines that come again with other white space."""
    a, b = old.split("\n"), new.split("\n")
    bare = [["".join(line.split()) for line in lines] for lines in (a, b)]
    return {
        block.a + i
        for block in _matching(*bare)
        for i in range(block.size)
        if a[block.a + i] != b[block.b + i]
    }


def _matching(a: Sequence[str], b: Sequence[str]) -> list[difflib.Match]:
    return difflib.SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()


def parses(prefix: str, text: str, suffix: str, language: str) -> bool:
    """Tell whether the filled text parses; in languages but Python, no worse than without it."""
    if language != "python":
        hole = Span(len(prefix), len(prefix))
        return validate(prefix + suffix, [Replacement(hole, text)], language).ok
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an odd escape in somebody's string
            ast.parse(prefix + text + suffix)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
