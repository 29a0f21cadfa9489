"""From a span of a document to the change the engine proposes, placed in today's text."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from lsprotocol import types as lsp

from engine.protocol import Candidate, EditRequest, EditResult
from grammars.selection import select
from grammars.span import Replacement, Span
from lsp_server.documents import Snapshot
from lsp_server.edits import fitted, workspace_edit
from lsp_server.failures import Refused, Stale
from lsp_server.refusals import refusal
from lsp_server.session import Session


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposed change and the document it fits; without replacements it changes nothing."""

    snapshot: Snapshot
    replacements: tuple[Replacement, ...]

    def edit(self, session: Session) -> lsp.WorkspaceEdit:
        """Return it as the client wants it."""
        versioned = session.capabilities.document_changes
        return workspace_edit(self.snapshot, self.replacements, versioned=versioned)


async def draft(
    session: Session,
    snapshot: Snapshot,
    span: Span,
    *,
    instruction: str | None = None,
    token: lsp.ProgressToken | None = None,
) -> Draft:
    """Fill what a cursor or selection stands for, or rewrite it by an instruction.

    The draft fits the document as it is when this returns; nothing may be awaited between that
    and sending it.

    Raises:
        Stale: if the span's text has changed meanwhile.
        Refused: if the document is left alone or no candidate passes the check.
        EngineError: from the engine.
    """
    if reason := refusal(snapshot):
        raise Refused(reason)
    # Off the loop: the first parse of a large file takes tens of milliseconds.
    span = await asyncio.to_thread(select, snapshot.text, snapshot.language, span)
    title = "Diffill: rewriting" if instruction is not None else "Diffill: filling"
    with session.progress(title, token) as progress:
        request = EditRequest(
            text=snapshot.text,
            spans=(span,),
            language=snapshot.language,
            path=snapshot.path,
            instruction=instruction,
            effort=session.settings.effort,
            frames=progress.wanted,
        )
        result = await session.engine.edit(request, progress.on_frame)
    candidate = _accepted(result, span)
    if not candidate.verdict.checked:
        session.log(f"no grammar for {snapshot.language or 'this file'}: the edit is not checked")
    return _placed(session, snapshot, span, candidate)


def _accepted(result: EditResult, span: Span) -> Candidate:
    for candidate in result.candidates:
        if candidate.verdict.ok:
            if any(
                r.span.start < span.start or span.end < r.span.end for r in candidate.replacements
            ):
                raise Refused("the engine proposed a change outside the selection")
            return candidate
    reasons = "; ".join(result.best.verdict.reasons) or "it did not pass the check"
    raise Refused(f"no proposal was good enough: {reasons}")


def _placed(session: Session, snapshot: Snapshot, span: Span, candidate: Candidate) -> Draft:
    today = session.documents.get(snapshot.uri)
    place = session.documents.relocate(snapshot.uri, snapshot.revision, span)
    # The texts are compared, too: an edit in the wrong place is the one unforgivable mistake.
    if place is None or place.of(today.text) != span.of(snapshot.text):
        raise Stale
    shift = place.start - span.start
    there = (
        Replacement(Span(r.span.start + shift, r.span.end + shift), r.text)
        for r in candidate.replacements
    )
    changes = (fitted(today.text, replacement) for replacement in there)
    return Draft(today, tuple(r for r in changes if len(r.span) or r.text))
