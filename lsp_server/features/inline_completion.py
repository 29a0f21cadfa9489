"""Completion at the cursor from both sides, as `textDocument/inlineCompletion` of LSP 3.18.

An automatic request is made in haste (effort quick, one item), an invoked one with the user's
effort and several items where these are single lines. A fill is one line; it may be several at the
start of an empty block.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace

from lsprotocol import types as lsp

from engine.errors import Cancelled, DeadlineExceeded, EngineError
from engine.protocol import EditRequest, Effort, Priority
from grammars.completion import CursorLine, is_welcome, worth_showing
from grammars.languages import language
from grammars.span import Replacement, Span, apply
from lsp_server.context import context_of
from lsp_server.documents import Snapshot
from lsp_server.failures import Stale
from lsp_server.metrics import Event, Kind, counted
from lsp_server.names import ACCEPTED
from lsp_server.refusals import refusal
from lsp_server.session import Session

AUTOMATIC_DEADLINE_S = 8.0
# All are decoded side by side: each more costs a fraction of the first.
INVOKED_ITEMS, INVOKED_DEADLINE_S = 3, 20.0


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where text is inserted: behind `chosen`, which takes the place of `span` in the document."""

    text: str  # the document, with what is chosen in the client's menu in it
    at: int
    span: Span  # of the document as it is
    chosen: str


def inline_completion(
    session: Session, params: lsp.InlineCompletionParams
) -> Awaitable[lsp.InlineCompletionList | None]:
    """Offer what to insert at a position."""
    snapshot = session.documents.get(params.text_document.uri)
    return _completed(session, snapshot, _cursor(snapshot, params), params.context)


async def _completed(
    session: Session, snapshot: Snapshot, cursor: _Cursor, context: lsp.InlineCompletionContext
) -> lsp.InlineCompletionList | None:
    invoked = context.trigger_kind == lsp.InlineCompletionTriggerKind.Invoked
    around = snapshot.uri, cursor.text[: cursor.at], cursor.text[cursor.at :]
    with session.completions.newest(snapshot.uri, invoked=invoked):
        settings = session.settings
        if not settings.inline_completion or refusal(snapshot, settings):
            return None
        wait_s = 0.0 if invoked else session.completions.pace.wait_s(session.debounce_ms)
        texts = session.completions.find(*around, invoked=invoked)
        if texts is None:
            await asyncio.sleep(wait_s)
            texts = await _made(session, snapshot, cursor, invoked=invoked)
            if texts is None:
                return None
            session.completions.remember(*around, texts, invoked=invoked)
    today = session.documents.get(snapshot.uri)
    place = session.documents.relocate(snapshot.uri, snapshot.revision, cursor.span)
    if place is None or place.of(today.text) != cursor.span.of(snapshot.text):
        raise Stale
    if texts:
        shown = texts if invoked else texts[:1]
        changes = ((Replacement(place, cursor.chosen + text),) for text in shown)
        session.offers.show(Kind.COMPLETION, today, changes)
    where = today.positions.range(place)
    # For editors that change what they insert, so that the document tells nothing.
    accepted = lsp.Command("Diffill: accepted", ACCEPTED, arguments=[{"uri": snapshot.uri}])
    items = [
        lsp.InlineCompletionItem(cursor.chosen + text, range=where, command=accepted)
        for text in texts
    ]
    return lsp.InlineCompletionList(items if invoked else items[:1]) if items else None


async def _made(
    session: Session, snapshot: Snapshot, cursor: _Cursor, *, invoked: bool
) -> tuple[str, ...] | None:
    """Return what the model proposes; None where it failed, which another time it may not."""
    if not invoked:
        # Off the loop: it parses the document.
        where = cursor.text, snapshot.language, cursor.at
        if not await asyncio.to_thread(is_welcome, *where):
            return ()
    request = replace(
        _request(session, snapshot, cursor, invoked=invoked),
        context=await context_of(session, snapshot, cursor.text, [Span(cursor.at, cursor.at)]),
    )
    try:
        with counted(session.metrics, Kind.COMPLETION):
            result = await session.edit(request)
    except (Cancelled, DeadlineExceeded):
        if invoked:
            raise
        return None
    except EngineError as error:
        if invoked:
            raise
        session.warn_once(f"Diffill cannot complete: {error}")
        return None
    fills = [
        candidate.replacements[0].text for candidate in result.candidates if candidate.verdict.ok
    ]
    if not fills:
        session.metrics.count(Kind.COMPLETION, Event.REFUSED)
    shown = (worth_showing(cursor.text, cursor.at, fill) for fill in fills)
    return tuple(dict.fromkeys(text for text in shown if text))


def _request(
    session: Session, snapshot: Snapshot, cursor: _Cursor, *, invoked: bool
) -> EditRequest:
    known = language(snapshot.language)
    line = CursorLine.of(cursor.text, cursor.at)
    lines = line.starts_block(known.line_comment if known else "") or (invoked and line.opens)
    request = EditRequest(
        text=cursor.text,
        spans=(Span(cursor.at, cursor.at),),
        language=snapshot.language,
        path=snapshot.path,
        effort=Effort.QUICK,
        single_line=not lines,
        candidates=1,
        deadline_s=_deadline_s(session, AUTOMATIC_DEADLINE_S),
        priority=Priority.TYPING,
    )
    if not invoked:
        return request
    items = 1 if lines else INVOKED_ITEMS
    return replace(
        request,
        effort=session.settings.effort,
        candidates=items,
        deadline_s=_deadline_s(session, INVOKED_DEADLINE_S),
        priority=Priority.EXPLICIT,
    )


def _deadline_s(session: Session, longest_s: float) -> float:
    return min(longest_s, session.settings.deadline_seconds or longest_s)


def _cursor(snapshot: Snapshot, params: lsp.InlineCompletionParams) -> _Cursor:
    chosen = params.context.selected_completion_info
    if chosen is None:
        at = snapshot.positions.offset(params.position)
        return _Cursor(snapshot.text, at, Span(at, at), "")
    span = snapshot.positions.span(chosen.range)
    text = apply(snapshot.text, [Replacement(span, chosen.text)])
    return _Cursor(text, span.start + len(chosen.text), span, chosen.text)
