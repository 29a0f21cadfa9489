"""Holes in a source file, like those that editing leaves: a line, the rest of one, some lines."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from grammars.span import Span

_MAX_CHARS = 300  # about 100 tokens: every effort can fill it
_MAX_LINES = 6
_ATTEMPTS = 50
_WORD_START = re.compile(r"(?<=\s)\w|(?<=[(\[{.,=])\S")
_VISIBLE = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Hole:
    """A span to fill, and its kind: single-line, line-tail or multi-line."""

    kind: str
    span: Span


def holes(text: str, rng: random.Random) -> list[Hole]:
    """Return a hole of each kind that finds a place in a text with LF line ends."""
    starts = [0, *(m.end() for m in re.finditer("\n", text))]
    found: list[Hole] = []
    for kind in ("single-line", "line-tail", "multi-line"):
        for _ in range(_ATTEMPTS):
            span = _propose(kind, text, starts, rng)
            if span and _is_fair(span.of(text), kind):
                found.append(Hole(kind, span))
                break
    return found


def _propose(kind: str, text: str, starts: list[int], rng: random.Random) -> Span | None:
    if len(starts) < 4:
        return None
    first = rng.randrange(len(starts) - 1)  # the last "line" follows the last line end
    start, end = starts[first], starts[first + 1]
    if kind == "line-tail":
        words = (m.start() for m in _WORD_START.finditer(text, start, end - 1))
        places = [place for place in words if text[start:place].strip()]
        return Span(rng.choice(places), end - 1) if places else None
    if kind == "multi-line":
        end = starts[min(first + rng.randint(2, _MAX_LINES), len(starts) - 1)]
    return Span(start, end)


def _is_fair(truth: str, kind: str) -> bool:
    """Whether there is something to guess: a bare brace or a page of text is nothing to score."""
    lines = truth.strip("\n").split("\n")
    return (
        len(truth) <= _MAX_CHARS
        and len(_VISIBLE.findall(truth)) >= 3
        and (
            kind != "multi-line" or (len(lines) > 1 and all(map(str.strip, (lines[0], lines[-1]))))
        )
    )
