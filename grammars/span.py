"""Spans and replacements: where text changes, and into what.

Everything is in characters (Unicode code points) and half-open. `lsp_server.positions` owns the
conversion to LSP units, `grammars.syntax` the one to bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of characters.

    Raises:
        ValueError: if it is inverted or starts before the text.
    """

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a span: {self.start}..{self.end}")

    def __len__(self) -> int:
        return self.end - self.start

    def __bool__(self) -> bool:
        return True  # an empty span is still a span: never let `if span` mean its length

    def of(self, text: str) -> str:
        """Return the characters of `text` it covers."""
        return text[self.start : self.end]

    def visible(self, text: str) -> Span:
        """Return it without the blanks at its ends; a blank one is empty then, at its end."""
        inside = self.of(text)
        start = self.start + len(inside) - len(inside.lstrip())
        return Span(start, max(start, self.start + len(inside.rstrip())))

    def holds(self, other: Span) -> bool:
        """Tell whether all of another is in it."""
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: Span) -> bool:
        """Tell whether both share a character; touching spans do not."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Replacement:
    """New text for a span of the original text."""

    span: Span
    text: str


def apply(text: str, replacements: Iterable[Replacement]) -> str:
    """Apply replacements that all refer to the original `text`.

    Raises:
        ValueError: if two of them overlap or one ends behind the text.
    """
    pieces: list[str] = []
    done = 0
    for r in sorted(replacements, key=lambda r: r.span):
        if r.span.start < done or r.span.end > len(text):
            raise ValueError(f"replacement {r.span} overlaps another or leaves the text")
        pieces += (text[done : r.span.start], r.text)
        done = r.span.end
    return "".join([*pieces, text[done:]])


def landed(replacements: Iterable[Replacement]) -> list[tuple[Span, Span]]:
    """Return where each replacement was and where its text lands once all are applied, in order."""
    places: list[tuple[Span, Span]] = []
    shift = 0
    for r in sorted(replacements, key=lambda r: r.span):
        start = r.span.start + shift
        places.append((r.span, Span(start, start + len(r.text))))
        shift += len(r.text) - len(r.span)
    return places


def minimal(text: str, replacement: Replacement) -> Replacement:
    """Trim what a replacement has in common with the text it replaces, at both ends.

    A line end (CRLF) is never split, in the old text or the new: an editor would see a lone CR.
    """
    start, end = replacement.span.start, replacement.span.end
    old, new = replacement.span.of(text), replacement.text
    if old == new:
        return Replacement(Span(start, start), "")
    limit = min(len(old), len(new))
    # A pair may also join a character of the replacement with one just outside it.
    before, after = text[max(start - 1, 0) : start], text[end : end + 1]
    around = [before + side + after for side in (old, new)]

    head = 0
    while head < limit and old[head] == new[head]:
        head += 1
    while head and any(_splits_crlf(side, len(before) + head) for side in around):
        head -= 1
    tail = 0
    while tail < limit - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    while tail and any(_splits_crlf(side, len(side) - len(after) - tail) for side in around):
        tail -= 1
    return Replacement(Span(start + head, end - tail), new[head : len(new) - tail])


def _splits_crlf(text: str, at: int) -> bool:
    return at > 0 and text[at - 1 : at + 1] == "\r\n"
