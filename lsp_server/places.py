"""Where an edit happens: from what the user points at to the spans that are edited."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from grammars.faults import BrokenLines, broken_lines
from grammars.holes import Hole, find_holes
from grammars.selection import select
from grammars.span import Span
from lsp_server.documents import Snapshot
from lsp_server.failures import Refused
from lsp_server.refusals import refusal
from lsp_server.settings import Settings

MAX_HOLES = 32
HOLES = "holes, such as `pass`, `todo!()` or a TODO comment"

# It parses the document: to be called in a thread.
Places = Callable[[Snapshot], tuple[Span, ...]]


def holes_of(snapshot: Snapshot) -> tuple[Hole, ...]:
    """Return the holes of a document, in order."""
    return find_holes(snapshot.text, snapshot.language, snapshot.path)


def hole_at(snapshot: Snapshot, pointer: Span) -> Hole | None:
    """Return the hole that is selected, but for white space, or on whose lines a cursor is."""
    at, text = pointer.start, snapshot.text
    for hole in holes_of(snapshot):
        if len(pointer):
            if _bare(text, hole.span) == _bare(text, pointer):
                return hole
            continue
        ends_line = hole.span.of(text).endswith(("\n", "\r"))
        if hole.span.start <= at < hole.span.end + (not ends_line):
            return hole
    return None


def holes_within(snapshot: Snapshot, pointer: Span) -> tuple[Hole, ...]:
    """Return the holes a selection holds, the first `MAX_HOLES` of them."""

    def is_within(hole: Hole) -> bool:
        return pointer.holds(_bare(snapshot.text, hole.span))

    return tuple(filter(is_within, holes_of(snapshot)))[:MAX_HOLES]


def pointed_at(pointers: Iterable[Span]) -> Places:
    """Return the places selections and cursors stand for; those that overlap become one."""

    def places(snapshot: Snapshot) -> tuple[Span, ...]:
        return tuple(_apart(_meant(snapshot, pointer) for pointer in pointers))

    return places


def every_hole(snapshot: Snapshot) -> tuple[Span, ...]:
    """Return the holes of a document, the first `MAX_HOLES` of them.

    Raises:
        Refused: if it has none.
    """
    holes = holes_of(snapshot)
    if not holes:
        raise Refused(f"the file has no {HOLES}")
    return tuple(hole.span for hole in holes[:MAX_HOLES])


def having_holes(snapshots: Iterable[Snapshot], settings: Settings) -> Iterator[Snapshot]:
    """Yield the documents that may be edited and have holes; it parses them."""
    return (s for s in snapshots if not refusal(s, settings) and holes_of(s))


def exactly(spans: Sequence[Span]) -> Places:
    """Return the places that are these very spans."""
    return lambda _snapshot: tuple(spans)


def broken_at(snapshot: Snapshot, pointer: Span, *, strictly: bool = True) -> BrokenLines | None:
    """Return the syntax error on the lines of a selection or cursor; `broken_lines` says more."""
    found = broken_lines(snapshot.text, snapshot.language, strictly=strictly)
    return next((broken for broken in found if _on_its_lines(snapshot, broken, pointer)), None)


def broken_near(snapshot: Snapshot, pointer: Span) -> BrokenLines:
    """Return the syntax error on the lines of a selection or cursor, else the document's first.

    Raises:
        Refused: if it has none.
    """
    found = broken_lines(snapshot.text, snapshot.language)
    if not found:
        raise Refused("the file has no syntax error that Diffill knows of")
    return broken_at(snapshot, pointer) or found[0]


def _on_its_lines(snapshot: Snapshot, broken: BrokenLines, pointer: Span) -> bool:
    lines = snapshot.positions.lines
    first, last = lines.line_at(pointer.start), lines.line_at(pointer.end)
    return first <= lines.line_at(broken.span.end) and lines.line_at(broken.span.start) <= last


def offer_for_all(holes: Sequence[Hole]) -> str | None:
    """Return what the edit of `every_hole` is called; None where a single fill says as much."""
    if len(holes) > MAX_HOLES:
        return f"fill the first {MAX_HOLES} holes"
    return f"fill all {len(holes)} holes" if len(holes) > 1 else None


def _bare(text: str, span: Span) -> Span:
    """Return a span without the white space at its ends."""
    code = span.of(text)
    start = span.start + len(code) - len(code.lstrip())
    return Span(start, max(start, span.start + len(code.rstrip())))


def _meant(snapshot: Snapshot, pointer: Span) -> Span:
    hole = hole_at(snapshot, pointer)
    return hole.span if hole else select(snapshot.text, snapshot.language, pointer)


def _apart(spans: Iterable[Span]) -> Iterable[Span]:
    apart: list[Span] = []
    for span in sorted(set(spans)):
        if apart and apart[-1].overlaps(span):
            apart[-1] = Span(apart[-1].start, max(apart[-1].end, span.end))
        else:
            apart.append(span)
    return apart
