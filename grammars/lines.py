"""Lines as editors see them: LF, CRLF and CR end a line, nothing else does.

`str.splitlines` also breaks at form feeds, U+2028 and others, which shifts every later line.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate, count
from operator import add

from grammars.span import Replacement, Span

_LINE_END = re.compile(r"\r\n|\n|\r")
# At the margin, and no continuation of what stands above.
_TOP_LEVEL = re.compile(r"(?!(?:elif|else|except|finally)\b)[^\s#)\]}]")


class LineIndex:
    """Where each line of a text starts. Lines count from 0; the last one may be empty."""

    def __init__(self, text: str, starts: list[int] | None = None) -> None:
        self.text = text
        self.starts = starts or [0, *(_ends(text) if "\r" in text else _line_feeds(text))]

    def after(self, change: Replacement, text: str) -> LineIndex:
        """Return the index of `text`, which a change makes of this one's.

        Only the lines at the change are looked for: a client may send a thousand changes at once.
        """
        start, end, old = change.span.start, change.span.end, self.starts
        by = len(change.text) - len(change.span)
        # With the characters around: a CR and an LF may have come together, or apart.
        first = max(start - 1, 0)
        around = LineIndex(text[first : end + by + 1]).starts[1:]
        starts = [
            *old[: max(bisect_left(old, start), 1)],
            *(first + at for at in around if first + at <= end + by),
            *(at + by for at in old[bisect_right(old, end) :]),
        ]
        return LineIndex(text, starts)

    def __len__(self) -> int:
        return len(self.starts)

    def line_at(self, offset: int) -> int:
        """Return the line that holds the character at `offset` (the end of text included)."""
        return bisect_right(self.starts, offset) - 1

    def span(self, line: int) -> Span:
        """Return a line's characters, its line end included."""
        end = self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)
        return Span(self.starts[line], end)

    def content(self, line: int) -> Span:
        """Return a line's characters without its line end."""
        span = self.span(line)
        return Span(span.start, span.start + len(span.of(self.text).rstrip("\r\n")))


def _ends(text: str) -> Iterator[int]:
    return (m.end() for m in _LINE_END.finditer(text))


def _line_feeds(text: str) -> Iterator[int]:
    """Do the same for a text without CR, far faster: an index is made at every key."""
    lines = text.split("\n")
    lines.pop()
    return map(add, accumulate(map(len, lines)), count(1))


def line_around(text: str, at: int) -> Span:
    """Return the line that holds the character `at`, without its line end, as the index would."""
    if text[at - 1 : at + 1] == "\r\n":
        at -= 1
    end = _LINE_END.search(text, at)
    start = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
    return Span(start, end.start() if end else len(text))


def statements_around(lines: LineIndex, span: Span, most: int | None = None) -> Span:
    """Return the lines from the margin to the margin around a span.

    As indentation tells, in a text that may be broken; at most so many above and below.
    """
    text, first, last = lines.text, lines.line_at(span.start), lines.line_at(span.end)
    lowest = 0 if most is None else max(first - most, 0)
    while first > lowest and not _TOP_LEVEL.match(text, lines.starts[first]):
        first -= 1
    end = len(lines) - 1
    highest = end if most is None else min(last + most, end)
    while last < highest and not _TOP_LEVEL.match(text, lines.starts[last + 1]):
        last += 1
    return Span(lines.span(first).start, lines.span(last).end)


def line_end(text: str) -> str:
    """Return the line end a text uses most, LF where it has none."""
    both = text.count("\r\n")
    counts = {"\n": text.count("\n") - both, "\r\n": both, "\r": text.count("\r") - both}
    return max(counts, key=lambda end: counts[end])


def with_line_end(text: str, end: str) -> str:
    """Return `text` with every line end replaced by `end`."""
    return _LINE_END.sub(end, text)


def indentation(line: str) -> str:
    """Return the blanks and tabs a line starts with."""
    return line[: len(line) - len(line.lstrip(" \t"))]
