"""From places in documents to the changes the engine proposes, placed in today's text."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from lsprotocol import types as lsp

from engine.protocol import Candidate, EditRequest, EditResult, EditStats, Excerpt, Frame
from grammars.span import Replacement, Span, apply
from grammars.validation import validate
from lsp_server.context import context_of
from lsp_server.documents import Snapshot, local_path
from lsp_server.doubts import Sureness
from lsp_server.edits import fitted, workspace_edit
from lsp_server.failures import Refused, Stale
from lsp_server.live import LiveView
from lsp_server.metrics import Event, Kind, counted
from lsp_server.places import Places
from lsp_server.progress import Progress
from lsp_server.refusals import refusal, rewrite_refusal
from lsp_server.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be done at the places of an edit: fill them, unless there is an instruction."""

    instruction: str | None = None
    mends: bool = False  # the instruction is to mend a syntax error
    rolls: int = 0  # how often the places have been filled already; each may stay as it is


@dataclass(frozen=True, slots=True)
class Change:
    """What changes in one document, as it is now, and which of the new text is doubtful."""

    snapshot: Snapshot
    replacements: tuple[Replacement, ...]
    doubts: tuple[Span, ...] = ()  # in the text that it makes
    whole: tuple[Replacement, ...] = ()  # what was proposed, before it was trimmed


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposed edit of one or several documents, and what it cost.

    Without changes it does nothing; `reason` says why, if it was refused.
    """

    changes: tuple[Change, ...]
    stats: EditStats
    reason: str | None = None

    def edit(self, session: Session, to_apply: str | None = None) -> lsp.WorkspaceEdit:
        """Return it as the client wants it.

        `to_apply` is what the user knows the edit by, for one that is applied without a preview.
        """
        able = session.capabilities
        asks = session.settings.confirm_edits and able.confirms_edits
        return workspace_edit(
            [(change.snapshot, change.replacements) for change in self.changes],
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


@dataclass(frozen=True, slots=True)
class _Proposal:
    """What the engine answered for one document."""

    snapshot: Snapshot
    spans: tuple[Span, ...]
    result: EditResult
    candidate: Candidate | None
    sureness: Sureness = field(repr=False)


async def draft(
    session: Session,
    snapshots: Sequence[Snapshot],
    places: Places,
    order: Order,
    *,
    token: lsp.ProgressToken | None = None,
    name: str | None = None,
) -> Draft:
    """Fill places, or rewrite them by an instruction; `name` is what the live view calls this.

    Of several documents each is shown the new text of those before it, and either all are edited or
    none. The draft fits the documents as they are when this returns; nothing may be awaited between
    that and sending it.

    Raises:
        Stale: if the text of a place has changed meanwhile, or so that the edit does not fit.
        Refused: if a document is left alone.
        EngineError: from the engine.
    """
    title = "Diffill: filling" if order.instruction is None else "Diffill: rewriting"
    proposals: list[_Proposal] = []
    made: dict[Path, str] = {}
    with ExitStack() as stack:
        lives = [stack.enter_context(LiveView(session, s, name)) for s in snapshots]
        progress = stack.enter_context(session.progress(title, token))
        for snapshot, live in zip(snapshots, lives, strict=True):
            proposal = await _proposed(session, snapshot, places, order, live, progress, made)
            proposals.append(proposal)
            if proposal.candidate is None:
                for each in lives:
                    each.refused = True
                break
            if path := local_path(snapshot.uri):
                made[path] = apply(snapshot.text, proposal.candidate.replacements)
        stats = sum((proposal.result.stats for proposal in proposals), EditStats())
        if proposals[-1].candidate is None:
            session.metrics.count(Kind.EDIT, Event.REFUSED)
            return Draft((), stats, _reason(proposals[-1], is_one=len(snapshots) == 1))
        changes = await _placed(session, proposals)
        for change in changes:
            session.offers.show(
                Kind.EDIT, change.snapshot, [change.replacements], doubts=change.doubts
            )
        return Draft(tuple(changes), stats)


async def _proposed(
    session: Session,
    snapshot: Snapshot,
    places: Places,
    order: Order,
    live: LiveView,
    progress: Progress,
    made: Mapping[Path, str],
) -> _Proposal:
    if reason := refusal(snapshot, session.settings):
        raise Refused(reason)
    # Off the loop: the first parse of a large file takes tens of milliseconds.
    spans = await asyncio.to_thread(places, snapshot)
    if order.instruction is not None:
        for span in spans:
            if reason := rewrite_refusal(snapshot.text, span):
                raise Refused(reason)
    live.show(spans)
    sureness = Sureness()

    def on_frame(frame: Frame) -> None:
        progress.on_frame(frame)
        live.on_frame(frame)
        sureness.on_frame(frame)

    shown: tuple[Excerpt, ...] = ()
    if order.instruction is None:  # a rewrite sees its own region alone
        shown = await context_of(session, snapshot, snapshot.text, spans, made)
    request = EditRequest(
        text=snapshot.text,
        spans=spans,
        language=snapshot.language,
        path=snapshot.path,
        context=shown,
        instruction=order.instruction,
        mends=order.mends,
        seed=order.rolls,
        single_line=order.rolls > 0 and not any("\n" in span.of(snapshot.text) for span in spans),
        effort=session.settings.effort,
        deadline_s=session.settings.deadline_seconds,
        frames=True,
    )
    with counted(session.metrics, Kind.EDIT):
        result = await session.edit(request, on_frame)
    candidate = _accepted(result, spans, each_alone=order.rolls > 0)
    if candidate and not candidate.verdict.checked:
        session.log(f"no grammar for {snapshot.language or 'this file'}: the edit is not checked")
    return _Proposal(snapshot, spans, result, candidate, sureness)


def _accepted(result: EditResult, spans: Sequence[Span], *, each_alone: bool) -> Candidate | None:
    """Return the first candidate that may be offered, or what of the best one may be."""
    for candidate in result.candidates:
        if candidate.verdict.ok:
            if not all(_holder(spans, r.span) for r in candidate.replacements):
                raise Refused("the engine proposed a change outside the selection")
            return candidate
    best = result.best
    if each_alone and len(best.verdicts) == len(best.replacements):
        pairs = zip(best.replacements, best.verdicts, strict=True)
        good = tuple(made for made, verdict in pairs if verdict.ok and _holder(spans, made.span))
        return replace(best, replacements=good) if good else None
    return None


def _reason(proposal: _Proposal, *, is_one: bool) -> str:
    reasons = "; ".join(proposal.result.best.verdict.reasons) or "it did not pass the check"
    where = "" if is_one else f" for {proposal.snapshot.path}"
    return f"no proposal was good enough{where}: {reasons}"


def _holder(spans: Sequence[Span], part: Span) -> Span | None:
    """Return the place a replacement is for: it itself, if it is one, else one around it."""
    if part in spans:
        return part
    return next((s for s in spans if s.holds(part)), None)


async def _placed(session: Session, proposals: Sequence[_Proposal]) -> list[Change]:
    """Return what changes today's texts, judged again where the engine saw another one."""
    judged = {proposal.snapshot.revision for proposal in proposals}
    while True:
        # All at the same moment: while one was made or judged, another may have changed.
        changes = [_change(session, proposal) for proposal in proposals]
        new = [change for change in changes if change.snapshot.revision not in judged]
        if not new:
            return [change for change in changes if change.replacements]
        # Off the loop: it parses the documents.
        if not await asyncio.to_thread(all, map(_fits, new)):
            raise Stale
        judged.update(change.snapshot.revision for change in new)


def _fits(change: Change) -> bool:
    return validate(change.snapshot.text, change.whole, change.snapshot.language).ok


def _change(session: Session, proposal: _Proposal) -> Change:
    """Return what changes today's text, all places of which must be as they were."""
    old, spans, candidate = proposal.snapshot, proposal.spans, proposal.candidate
    assert candidate is not None
    today = session.documents.get(old.uri)
    shifts: dict[Span, int] = {}
    for span in spans:
        place = session.documents.relocate(old.uri, old.revision, span)
        # The texts are compared, too: an edit in the wrong place is the one unforgivable mistake.
        if place is None or place.of(today.text) != span.of(old.text):
            raise Stale
        shifts[span] = place.start - span.start
    changes: list[Replacement] = []
    whole: list[Replacement] = []
    doubts: list[Span] = []
    shift = 0
    for made in sorted(candidate.replacements, key=lambda r: r.span):
        holder = _holder(spans, made.span)
        assert holder is not None, "checked before"
        there = Span(made.span.start + shifts[holder], made.span.end + shifts[holder])
        whole.append(Replacement(there, made.text))
        change = fitted(today.text, whole[-1])
        if len(change.span) or change.text:
            changes.append(change)
            start = there.start + shift
            doubts += proposal.sureness.doubts(spans.index(holder), made.text, start)
        shift += len(change.text) - len(change.span)
    return Change(today, tuple(changes), tuple(doubts), tuple(whole))
