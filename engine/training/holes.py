"""Where the trainer cuts holes: lines, line tails, blocks, syntax nodes and random spans.

The mix is that of `MIX`; about half of the holes of whole lines are moved to a syntax node of the
same size where the language has a grammar.
"""

from __future__ import annotations

import random
from enum import StrEnum

from grammars.span import Span
from grammars.syntax import ParseTimeout, tree_of

MAX_CHARS = 6_000  # of one piece of a file: a hole's context holds no more


class Kind(StrEnum):
    """How a hole is cut."""

    LINE = "line"  # one line, or its tail from any place
    FEW = "few"  # 2 to 5 lines
    BLOCK = "block"  # 6 to 20 lines
    RANDOM = "random"  # any characters


MIX = {Kind.LINE: 0.4, Kind.FEW: 0.3, Kind.BLOCK: 0.2, Kind.RANDOM: 0.1}
_LINES = {Kind.LINE: (1, 1), Kind.FEW: (2, 5), Kind.BLOCK: (6, 20)}
_NODE_SHARE = 0.5
_MAX_RANDOM_CHARS = 300


def piece(rng: random.Random, text: str) -> str:
    """Return a part of a long text that starts and ends at lines without indentation."""
    if len(text) <= MAX_CHARS:
        return text
    starts = [0]
    at = text.find("\n")
    while at != -1:
        if text[at + 1 : at + 2].strip():
            starts.append(at + 1)
        at = text.find("\n", at + 1)
    start = rng.choice(starts)
    ends = [s for s in starts if MAX_CHARS // 3 < s - start <= MAX_CHARS]
    return text[start : ends[-1] if ends else start + MAX_CHARS]


def hole(rng: random.Random, text: str, language: str) -> Span | None:
    """Draw a hole, or None where the draw does not suit the text."""
    kind = rng.choices(list(MIX), list(MIX.values()))[0]
    if kind is Kind.RANDOM:
        if len(text) < 4:
            return None
        start = rng.randrange(len(text) - 2)
        return _solid(text, start, start + rng.randrange(2, _MAX_RANDOM_CHARS))
    if rng.random() < _NODE_SHARE and (span := _node(rng, text, language, kind)):
        return span
    return _lines(rng, text, kind)


def _lines(rng: random.Random, text: str, kind: Kind) -> Span | None:
    lines = text.splitlines(keepends=True)
    least, most = _LINES[kind]
    count = rng.randint(least, most)
    if len(lines) <= count + 2:
        return None
    first = rng.randrange(1, len(lines) - count)
    start = sum(map(len, lines[:first]))
    body = "".join(lines[first : first + count])
    indent = len(body) - len(body.lstrip(" \t"))
    with_end = rng.random() < (0.35 if kind is Kind.LINE else 0.7)
    end = start + (len(body) if with_end else len(body.rstrip("\r\n")))
    place = rng.random()
    if place < 0.35:
        pass  # from the line's start: the indentation is to be written too
    elif place < 0.7 or kind is not Kind.LINE:
        start += indent
    else:
        start += rng.randint(indent, max(indent, len(body.rstrip("\r\n")) - 1))
    return _solid(text, start, end)


def _node(rng: random.Random, text: str, language: str, kind: Kind) -> Span | None:
    try:
        tree = tree_of(text, language)
    except ParseTimeout:
        return None
    if tree is None:
        return None
    least, most = _LINES[kind]
    fitting = [
        node.span
        for node in tree.nodes()
        if node.is_named
        and node.span.end - node.span.start > 3
        and least <= text.count("\n", node.span.start, node.span.end) + 1 <= most
    ]
    if not fitting:
        return None
    span = rng.choice(fitting)
    return _solid(text, span.start, span.end)


def _solid(text: str, start: int, end: int) -> Span | None:
    end = min(end, len(text))
    return Span(start, end) if text[start:end].strip() else None
