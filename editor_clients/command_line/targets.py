"""What part of a file the user means: `--lines A-B` or `--range L:C-L:C`, both counted from 1."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from dataclasses import dataclass

from editor_clients.command_line.exits import Exit, Stop
from grammars.lines import LineIndex
from grammars.span import Span

_LINES = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_RANGE = re.compile(r"([0-9]{1,9}):([0-9]{1,9})(?:-([0-9]{1,9}):([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines, both ends included; the last one's line end stays outside."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"lines {self.first}-{self.last}"

    def span(self, lines: LineIndex) -> Span:
        """Return the characters meant."""
        _check(self, self.first, lines)
        _check(self, self.last, lines)
        if self.last < self.first:
            raise Stop(Exit.USAGE, f"{self} is inverted: it ends before it starts")
        return Span(lines.span(self.first - 1).start, lines.content(self.last - 1).end)


@dataclass(frozen=True, slots=True)
class Range:
    """From one position up to, but not including, another; columns count characters."""

    first: tuple[int, int]  # line, column
    last: tuple[int, int]

    def __str__(self) -> str:
        return "range {}:{}-{}:{}".format(*self.first, *self.last)

    def span(self, lines: LineIndex) -> Span:
        """Return the characters meant; in front of a line's text, the place above the line."""
        start, end = (self._offset(position, lines) for position in (self.first, self.last))
        if end < start:
            raise Stop(Exit.USAGE, f"{self} is inverted: it ends before it starts")
        line = lines.content(self.first[0] - 1)
        if start == end <= line.visible(lines.text).start < line.end:
            return Span(line.start, line.start)
        return Span(start, end)

    def _offset(self, position: tuple[int, int], lines: LineIndex) -> int:
        line, column = position
        _check(self, line, lines)
        content = lines.content(line - 1)
        if not 1 <= column <= len(content) + 1:
            raise Stop(
                Exit.USAGE,
                f"{self} is outside the file: line {line} has columns 1 to {len(content) + 1}",
            )
        return content.start + column - 1


Target = Lines | Range


def parse_lines(value: str) -> Lines:
    """Read `A-B`, or `A` for one line."""
    if not (match := _LINES.fullmatch(value)):
        raise ArgumentTypeError(f"{value!r} is not A-B, two line numbers")
    first, last = match[1], match[2] or match[1]
    return Lines(int(first), int(last))


def parse_range(value: str) -> Range:
    """Read `L:C-L:C`, or `L:C` for a cursor."""
    if not (match := _RANGE.fullmatch(value)):
        raise ArgumentTypeError(f"{value!r} is not L:C-L:C, lines and columns")
    first = (int(match[1]), int(match[2]))
    return Range(first, (int(match[3]), int(match[4])) if match[3] else first)


def _check(target: Target, line: int, lines: LineIndex) -> None:
    if not 1 <= line <= len(lines):
        raise Stop(Exit.USAGE, f"{target} is outside the file: it has lines 1 to {len(lines)}")
