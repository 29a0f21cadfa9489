"""Code actions for a selection or a cursor, and the edit of the one the user picks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from lsprotocol import types as lsp

from grammars.selection import definition_around, select
from grammars.span import Span
from lsp_server.documents import Snapshot
from lsp_server.drafts import draft
from lsp_server.failures import InvalidParams, Stale
from lsp_server.features.commands import CANNOT_APPLY, FILL, FILL_ALL, REWRITE
from lsp_server.places import (
    every_hole,
    hole_at,
    holes_of,
    holes_within,
    offer_for_all,
    pointed_at,
)
from lsp_server.refusals import refusal, rewrite_refusal
from lsp_server.rewrites import REWRITES
from lsp_server.session import Session

KIND = "refactor.rewrite.diffill"
OPTIONS = lsp.CodeActionOptions(code_action_kinds=[KIND], resolve_provider=True)

_FOREIGN = "the data of this action is not what the server gave out"

NO_DEFINITION = "select code, or put the cursor in a function or class"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """An action before it is put into what the client understands."""

    title: str
    command: str
    spans: tuple[Span, ...]
    kind: str = KIND
    instruction: str | None = None
    asks: bool = False  # the client is to ask for the instruction
    disabled: str | None = None


@dataclass(frozen=True, slots=True)
class _Data:
    """What an action carries from the offer to its resolution."""

    uri: str
    revision: int
    spans: tuple[Span, ...]
    instruction: str | None


def code_actions(
    session: Session, params: lsp.CodeActionParams
) -> Awaitable[list[lsp.CodeAction | lsp.Command]]:
    """Offer what can be done at a range; no model runs, for editors ask at every cursor move."""
    return _offered(session, session.documents.get(params.text_document.uri), params)


def resolve(session: Session, action: lsp.CodeAction) -> Awaitable[lsp.CodeAction] | lsp.CodeAction:
    """Compute the edit of an action; an action that has what it needs is handed back."""
    if action.data is None or action.edit or action.command:
        return action
    data = _read(action.data)
    snapshot = session.documents.get(data.uri)
    today: list[Span] = []
    for span in data.spans:
        place = session.documents.relocate(data.uri, data.revision, span)
        if place is None:
            raise Stale
        today.append(place)
    return _resolved(session, action, snapshot, today, data)


async def _offered(
    session: Session, snapshot: Snapshot, params: lsp.CodeActionParams
) -> list[lsp.CodeAction | lsp.Command]:
    able = session.capabilities
    wanted = partial(_wanted, params.context.only)
    if not wanted(KIND) and not any(wanted(f"{KIND}.{rewrite.kind}") for rewrite in REWRITES):
        return []
    reason = refusal(snapshot, session.settings)
    if not (able.lazy_edits or able.apply_edit or able.frames):
        reason = reason or CANNOT_APPLY
    pointer = snapshot.positions.span(params.range)
    # Off the loop: the first parse of a large file takes tens of milliseconds.
    found = [] if reason else await asyncio.to_thread(lambda: [*_offers(snapshot, pointer)])
    offers = [_Offer(title="fill", command=FILL, spans=(pointer,))] if reason else found
    if not able.instruction_prompt:
        offers = [offer for offer in offers if not offer.asks]
    if not able.disabled_actions:
        offers = [offer for offer in offers if not (reason or offer.disabled)]
    offers = [offer for offer in offers if wanted(offer.kind)]
    if not able.action_literals:
        return [_command(offer, snapshot) for offer in offers if not offer.disabled]
    return [_action(session, offer, snapshot, reason or offer.disabled) for offer in offers]


def _offers(snapshot: Snapshot, pointer: Span) -> Iterator[_Offer]:
    """Yield what fits a cursor or selection; it parses the document."""
    hole = hole_at(snapshot, pointer)
    if hole:
        yield _Offer(title=f"fill this hole: {hole.what}", command=FILL, spans=(hole.span,))
    else:
        # Emacs' eglot selects the expression at point, which may be all of a function.
        if inside := holes_within(snapshot, pointer):
            first, *others = inside
            title = f"fill this hole: {first.what}"
            if others:
                title = f"fill the {len(inside)} holes selected"
            yield _Offer(title=title, command=FILL, spans=tuple(hole.span for hole in inside))
        title = "fill the selection" if len(pointer) else "fill here"
        yield _Offer(title=title, command=FILL, spans=(pointer,))
    if title := offer_for_all(holes_of(snapshot)):
        yield _Offer(title=title, command=FILL_ALL, spans=every_hole(snapshot))
    target = hole.span if hole else select(snapshot.text, snapshot.language, pointer)
    yield _Offer(
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
            yield _Offer(
                title=rewrite.title,
                command=REWRITE,
                spans=(target or pointer,),
                kind=f"{KIND}.{rewrite.kind}",
                instruction=rewrite.instruction,
                disabled=reason,
            )


def _action(
    session: Session, offer: _Offer, snapshot: Snapshot, disabled: str | None
) -> lsp.CodeAction:
    action = lsp.CodeAction(f"Diffill: {offer.title}", kind=offer.kind)
    if disabled:
        action.disabled = lsp.CodeActionDisabled(disabled)
        return action
    if session.capabilities.generated_tag:
        action.tags = [lsp.CodeActionTag.LlmGenerated]
    if session.capabilities.lazy_edits and not offer.asks:
        action.data = {
            "uri": snapshot.uri,
            "revision": snapshot.revision,
            "spans": [[span.start, span.end] for span in offer.spans],
            "instruction": offer.instruction,
        }
    else:
        # Some clients never resolve an action (eglot 1.9, ALE 3.3). To send them the edit at once
        # would run the model at every cursor move; a command runs when the action is picked, and
        # all clients can run one. It also runs where LSP itself cannot: it cannot ask for text, so
        # the client adds the instruction before it sends the command.
        action.command = _command(offer, snapshot)
    return action


def _command(offer: _Offer, snapshot: Snapshot) -> lsp.Command:
    argument: dict[str, object] = {"uri": snapshot.uri, "version": snapshot.version}
    if offer.command != FILL_ALL:
        ranges = [snapshot.positions.range(span) for span in offer.spans]
        argument |= {"range": ranges[0]} if len(ranges) == 1 else {"ranges": ranges}
    if offer.instruction:
        argument["instruction"] = offer.instruction
    return lsp.Command(f"Diffill: {offer.title}", offer.command, arguments=[argument])


async def _resolved(
    session: Session,
    action: lsp.CodeAction,
    snapshot: Snapshot,
    spans: list[Span],
    data: _Data,
) -> lsp.CodeAction:
    proposal = await draft(session, snapshot, pointed_at(spans), instruction=data.instruction)
    action.edit = proposal.accepted().edit(session, to_apply=action.title)
    return action


def _wanted(only: object, kind: str) -> bool:
    """Tell whether a filter of kinds lets one through; a kind stands for all below it."""
    if not isinstance(only, list | tuple):
        return True
    kinds = [str(getattr(given, "value", given)) for given in only]
    return any(given in ("", kind) or kind.startswith(f"{given}.") for given in kinds)


def _read(data: Any) -> _Data:
    match data:
        case {"uri": str(uri), "revision": int(revision), "spans": [*pairs], **rest} if pairs:
            return _Data(uri, revision, tuple(map(_span, pairs)), rest.get("instruction"))
        case _:
            raise InvalidParams(_FOREIGN)


def _span(pair: Any) -> Span:
    match pair:
        case [int(start), int(end)] if 0 <= start <= end:
            return Span(start, end)
        case _:
            raise InvalidParams(_FOREIGN)
