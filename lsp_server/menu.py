"""What can be done at a place of a document: the entries of the menu of code actions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grammars.selection import definition_around, select
from grammars.span import Span
from lsp_server.documents import Snapshot
from lsp_server.drafts import Order
from lsp_server.names import (
    FILL,
    FILL_ALL,
    KIND,
    REPAIR,
    REPAIR_KIND,
    REROLL,
    REROLL_KIND,
    REWRITE,
)
from lsp_server.places import (
    broken_at,
    every_hole,
    having_holes,
    hole_at,
    holes_of,
    holes_within,
    offer_for_all,
)
from lsp_server.refusals import rewrite_refusal
from lsp_server.rewrites import MEND, REWRITES
from lsp_server.session import Session
from lsp_server.settings import Settings

KINDS = (KIND, REPAIR_KIND, REROLL_KIND, *(f"{KIND}.{rewrite.kind}" for rewrite in REWRITES))

NO_DEFINITION = "select code, or put the cursor in a function or class"
# Open files that are looked into for more holes: each is parsed, at every change of one of them.
_MAX_OTHERS = 8
_FILLING = Order()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What can be done, before it is put into what the client understands."""

    title: str
    command: str
    spans: tuple[Span, ...]
    kind: str = KIND
    order: Order = _FILLING
    is_exact: bool = False  # the spans are not what is pointed at, but what is edited
    asks: bool = False  # the client is to ask for the instruction
    disabled: str | None = None
    uris: tuple[str, ...] = ()  # of several documents
    mended: Span | None = None  # the lines of the syntax error that it is for


def entries(snapshot: Snapshot, pointer: Span, *, is_diagnosed: bool) -> Iterator[Entry]:
    """Yield what fits a cursor or selection; it parses the document.

    `is_diagnosed` says that the client knows of something wrong there.
    """
    if broken := broken_at(snapshot, pointer, strictly=is_diagnosed):
        yield Entry(
            title=f"repair the syntax error: {broken.message}",
            command=REPAIR,
            spans=(broken.block,),
            kind=REPAIR_KIND,
            order=Order(instruction=MEND.format(broken.told(snapshot.text)), mends=True),
            is_exact=True,
            disabled=rewrite_refusal(snapshot.text, broken.block),
            mended=broken.span,
        )
    hole = hole_at(snapshot, pointer)
    if hole:
        yield Entry(title=f"fill this hole: {hole.what}", command=FILL, spans=(hole.span,))
    else:
        # Emacs' eglot selects the expression at point, which may be all of a function.
        if inside := holes_within(snapshot, pointer):
            first, *others = inside
            title = f"fill this hole: {first.what}"
            if others:
                title = f"fill the {len(inside)} holes selected"
            yield Entry(title=title, command=FILL, spans=tuple(hole.span for hole in inside))
        title = "fill the selection" if len(pointer) else "fill here"
        yield Entry(title=title, command=FILL, spans=(pointer,))
    if title := offer_for_all(holes_of(snapshot)):
        yield Entry(title=title, command=FILL_ALL, spans=every_hole(snapshot))
    target = hole.span if hole else select(snapshot.text, snapshot.language, pointer)
    yield Entry(
        title="rewrite with instruction…",
        command=REWRITE,
        spans=(pointer,),
        asks=True,
        disabled=rewrite_refusal(snapshot.text, target),
    )
    if not len(pointer):
        target = definition_around(snapshot.text, snapshot.language, pointer)
    reason = rewrite_refusal(snapshot.text, target) if target else NO_DEFINITION
    for rewrite in REWRITES:
        if rewrite.suits(snapshot.language):
            yield Entry(
                title=rewrite.title,
                command=REWRITE,
                spans=(target or pointer,),
                kind=f"{KIND}.{rewrite.kind}",
                order=Order(instruction=rewrite.instruction),
                disabled=reason,
            )


def of_last_edit(session: Session, snapshot: Snapshot) -> Iterator[Entry]:
    """Yield what can be done about the last edit of a document."""
    spans, rolls = session.offers.doubts(snapshot.uri)
    if spans:
        words = ", ".join(f"`{span.of(snapshot.text)}`" for span in spans)
        yield Entry(
            title=f"roll again what the model was unsure of: {words}",
            command=REROLL,
            spans=spans,
            kind=REROLL_KIND,
            order=Order(rolls=rolls),
            is_exact=True,
        )


def in_open_files(
    snapshot: Snapshot, opened: Sequence[Snapshot], settings: Settings
) -> Iterator[Entry]:
    """Yield what can be done in several open documents, this one first; it parses them."""
    if not holes_of(snapshot):
        return
    others = [s for s in opened if s.uri != snapshot.uri][:_MAX_OTHERS]
    if uris := tuple(s.uri for s in having_holes(others, settings)):
        yield Entry(
            title=f"fill all holes of {len(uris) + 1} open files",
            command=FILL_ALL,
            spans=(),
            uris=(snapshot.uri, *uris),
        )
