"""From places in a document to the change the engine proposes, placed in today's text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lsprotocol import types as lsp

from engine.protocol import Candidate, EditRequest, EditResult, EditStats, Frame
from grammars.span import Replacement, Span
from lsp_server.context import context_of
from lsp_server.documents import Snapshot
from lsp_server.edits import fitted, workspace_edit
from lsp_server.failures import Refused, Stale
from lsp_server.live import LiveView
from lsp_server.metrics import Event, Kind, counted
from lsp_server.places import Places
from lsp_server.refusals import refusal, rewrite_refusal
from lsp_server.session import Session


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposed change, the document it fits, and what it cost.

    Without replacements it changes nothing; `reason` says why, if it was refused.
    """

    snapshot: Snapshot
    replacements: tuple[Replacement, ...]
    stats: EditStats
    reason: str | None = None

    def edit(self, session: Session, to_apply: str | None = None) -> lsp.WorkspaceEdit:
        """Return it as the client wants it.

        `to_apply` is what the user knows the edit by, for one that is applied without a preview.
        """
        able = session.capabilities
        asks = session.settings.confirm_edits and able.confirms_edits
        return workspace_edit(
            self.snapshot,
            self.replacements,
            versioned=able.document_changes,
            to_confirm=to_apply if asks else None,
        )

    def accepted(self) -> Draft:
        """Return the draft itself.

        Raises:
            Refused: if it was.
        """
        if self.reason is not None:
            raise Refused(self.reason)
        return self


async def draft(
    session: Session,
    snapshot: Snapshot,
    places: Places,
    *,
    instruction: str | None = None,
    token: lsp.ProgressToken | None = None,
    name: str | None = None,
) -> Draft:
    """Fill places, or rewrite them by an instruction; `name` is what the live view calls this.

    The draft fits the document as it is when this returns; nothing may be awaited between that
    and sending it.

    Raises:
        Stale: if the text of a place has changed meanwhile.
        Refused: if the document is left alone.
        EngineError: from the engine.
    """
    title = "Diffill: rewriting" if instruction is not None else "Diffill: filling"
    with LiveView(session, snapshot, name) as live, session.progress(title, token) as progress:
        if reason := refusal(snapshot, session.settings):
            raise Refused(reason)
        # Off the loop: the first parse of a large file takes tens of milliseconds.
        spans = await asyncio.to_thread(places, snapshot)
        if instruction is not None:
            for span in spans:
                if reason := rewrite_refusal(snapshot.text, span):
                    raise Refused(reason)
        live.show(spans)

        def on_frame(frame: Frame) -> None:
            progress.on_frame(frame)
            live.on_frame(frame)

        request = EditRequest(
            text=snapshot.text,
            spans=spans,
            language=snapshot.language,
            path=snapshot.path,
            context=await context_of(session, snapshot, snapshot.text, spans),
            instruction=instruction,
            effort=session.settings.effort,
            deadline_s=session.settings.deadline_seconds,
            frames=progress.wanted or live.wanted,
        )
        with counted(session.metrics, Kind.EDIT):
            result = await session.engine.edit(request, on_frame)
        candidate = _accepted(result, spans)
        if candidate is None:
            live.refused = True
            session.metrics.count(Kind.EDIT, Event.REFUSED)
            reasons = "; ".join(result.best.verdict.reasons) or "it did not pass the check"
            reason = f"no proposal was good enough: {reasons}"
            return Draft(snapshot, (), result.stats, reason)
        if not candidate.verdict.checked:
            named = snapshot.language or "this file"
            session.log(f"no grammar for {named}: the edit is not checked")
        today = session.documents.get(snapshot.uri)
        changes = tuple(_placed(session, snapshot, today, spans, candidate))
        if changes:
            session.offers.show(Kind.EDIT, today, [changes])
        return Draft(today, changes, result.stats)


def _accepted(result: EditResult, spans: Sequence[Span]) -> Candidate | None:
    for candidate in result.candidates:
        if candidate.verdict.ok:
            if not all(_holder(spans, r.span) for r in candidate.replacements):
                raise Refused("the engine proposed a change outside the selection")
            return candidate
    return None


def _holder(spans: Sequence[Span], part: Span) -> Span | None:
    """Return the place a replacement is for: it itself, if it is one, else one around it."""
    if part in spans:
        return part
    return next((s for s in spans if s.start <= part.start and part.end <= s.end), None)


def _placed(
    session: Session, old: Snapshot, today: Snapshot, spans: Sequence[Span], candidate: Candidate
) -> Iterator[Replacement]:
    """Yield what changes today's text, all places of which must be as they were."""
    shifts: dict[Span, int] = {}
    for span in spans:
        place = session.documents.relocate(old.uri, old.revision, span)
        # The texts are compared, too: an edit in the wrong place is the one unforgivable mistake.
        if place is None or place.of(today.text) != span.of(old.text):
            raise Stale
        shifts[span] = place.start - span.start
    for made in candidate.replacements:
        holder = _holder(spans, made.span)
        assert holder is not None, "checked before"
        there = Span(made.span.start + shifts[holder], made.span.end + shifts[holder])
        change = fitted(today.text, Replacement(there, made.text))
        if len(change.span) or change.text:
            yield change
