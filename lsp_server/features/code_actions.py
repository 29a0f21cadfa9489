"""Code actions for a selection or a cursor, and the edit of the one the user picks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from lsprotocol import types as lsp

from grammars.selection import definition_around, select
from grammars.span import Span
from lsp_server.documents import Snapshot
from lsp_server.drafts import Order, draft
from lsp_server.failures import InvalidParams, Stale
from lsp_server.features.commands import (
    CANNOT_APPLY,
    FILL,
    FILL_ALL,
    REPAIR,
    REROLL,
    REWRITE,
)
from lsp_server.places import (
    broken_at,
    every_hole,
    exactly,
    hole_at,
    holes_of,
    offer_for_all,
    pointed_at,
)
from lsp_server.refusals import refusal, rewrite_refusal
from lsp_server.rewrites import MEND, REWRITES
from lsp_server.session import Session

KIND = "refactor.rewrite.diffill"
REROLL_KIND = f"{KIND}.reroll"
REPAIR_KIND = "quickfix.diffill"
OPTIONS = lsp.CodeActionOptions(code_action_kinds=[KIND, REPAIR_KIND], resolve_provider=True)

_FOREIGN = "the data of this action is not what the server gave out"

FILLING = Order()
NO_DEFINITION = "select code, or put the cursor in a function or class"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """An action before it is put into what the client understands."""

    title: str
    command: str
    spans: tuple[Span, ...]
    kind: str = KIND
    order: Order = FILLING
    is_exact: bool = False  # the spans are not what is pointed at, but what is edited
    asks: bool = False  # the client is to ask for the instruction
    disabled: str | None = None
    mended: Span | None = None  # the lines of the syntax error that it is for


@dataclass(frozen=True, slots=True)
class _Data:
    """What an action carries from the offer to its resolution."""

    uri: str
    revision: int
    spans: tuple[Span, ...]
    order: Order
    is_exact: bool


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
    kinds = (KIND, REPAIR_KIND, REROLL_KIND, *(f"{KIND}.{rewrite.kind}" for rewrite in REWRITES))
    if not any(map(wanted, kinds)):
        return []
    reason = refusal(snapshot, session.settings)
    if not (able.lazy_edits or able.apply_edit or able.frames):
        reason = reason or CANNOT_APPLY
    pointer = snapshot.positions.span(params.range)
    # Off the loop: the first parse of a large file takes tens of milliseconds.
    found = [] if reason else await asyncio.to_thread(lambda: [*_offers(snapshot, pointer)])
    if not reason:
        found += _of_last_edit(session, snapshot)
    offers = [_Offer(title="fill", command=FILL, spans=(pointer,))] if reason else found
    if not able.instruction_prompt:
        offers = [offer for offer in offers if not offer.asks]
    if not able.disabled_actions:
        offers = [offer for offer in offers if not (reason or offer.disabled)]
    offers = [offer for offer in offers if wanted(offer.kind)]
    if not able.action_literals:
        return [_command(offer, snapshot) for offer in offers if not offer.disabled]
    actions = [_action(session, offer, snapshot, reason or offer.disabled) for offer in offers]
    for offer, action in zip(offers, actions, strict=True):
        action.diagnostics = _mended(snapshot, offer, params.context.diagnostics)
    return [*actions]


def _offers(snapshot: Snapshot, pointer: Span) -> Iterator[_Offer]:
    """Yield what fits a cursor or selection; it parses the document."""
    if broken := broken_at(snapshot, pointer):
        yield _Offer(
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
        yield _Offer(title=f"fill this hole: {hole.what}", command=FILL, spans=(hole.span,))
    else:
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
                order=Order(instruction=rewrite.instruction),
                disabled=reason,
            )


def _of_last_edit(session: Session, snapshot: Snapshot) -> Iterator[_Offer]:
    spans, rolls = session.offers.doubts(snapshot.uri)
    if spans:
        words = ", ".join(f"`{span.of(snapshot.text)}`" for span in spans)
        yield _Offer(
            title=f"roll again what the model was unsure of: {words}",
            command=REROLL,
            spans=spans,
            kind=REROLL_KIND,
            order=Order(rolls=rolls),
            is_exact=True,
        )


def _mended(
    snapshot: Snapshot, offer: _Offer, diagnostics: Sequence[lsp.Diagnostic]
) -> list[lsp.Diagnostic] | None:
    """Return the diagnostics on the lines of the syntax error that an offer is for."""
    if offer.mended is None:
        return None
    lines = snapshot.positions.lines
    first, last = lines.line_at(offer.mended.start), lines.line_at(offer.mended.end)
    return [d for d in diagnostics if first <= d.range.end.line and d.range.start.line <= last]


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
            "order": asdict(offer.order),
            "exact": offer.is_exact,
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
    if offer.command not in (FILL_ALL, REROLL):
        argument["range"] = snapshot.positions.range(offer.mended or offer.spans[0])
    if offer.command == REWRITE and offer.order.instruction:
        argument["instruction"] = offer.order.instruction
    return lsp.Command(f"Diffill: {offer.title}", offer.command, arguments=[argument])


async def _resolved(
    session: Session,
    action: lsp.CodeAction,
    snapshot: Snapshot,
    spans: list[Span],
    data: _Data,
) -> lsp.CodeAction:
    places = exactly(spans) if data.is_exact else pointed_at(spans)
    proposal = await draft(session, [snapshot], places, data.order)
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
        case {
            "uri": str(uri),
            "revision": int(revision),
            "spans": [*pairs],
            "order": {**order},
            "exact": bool(is_exact),
        } if pairs:
            return _Data(uri, revision, tuple(map(_span, pairs)), _order(order), is_exact)
        case _:
            raise InvalidParams(_FOREIGN)


def _order(data: dict[Any, Any]) -> Order:
    match data:
        case {"instruction": str() | None as told, "mends": bool(mends), "rolls": int(rolls)}:
            return Order(instruction=told, mends=mends, rolls=max(0, rolls))
        case _:
            raise InvalidParams(_FOREIGN)


def _span(pair: Any) -> Span:
    match pair:
        case [int(start), int(end)] if 0 <= start <= end:
            return Span(start, end)
        case _:
            raise InvalidParams(_FOREIGN)
