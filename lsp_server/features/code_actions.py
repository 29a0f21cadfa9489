"""Code actions for a selection or a cursor, and the edit of the one the user picks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from lsprotocol import types as lsp

from grammars.span import Span
from lsp_server.documents import Snapshot
from lsp_server.drafts import Order, draft
from lsp_server.failures import InvalidParams, Stale
from lsp_server.features.commands import CANNOT_APPLY
from lsp_server.menu import KINDS, Entry, entries, in_open_files, of_last_edit
from lsp_server.names import FILL, FILL_ALL, REROLL, REWRITE
from lsp_server.places import exactly, pointed_at
from lsp_server.refusals import refusal
from lsp_server.session import Session

_FOREIGN = "the data of this action is not what the server gave out"


@dataclass(frozen=True, slots=True)
class _Data:
    """What an action carries from the entry to its resolution."""

    uri: str
    revision: int
    spans: tuple[Span, ...]
    order: Order
    is_exact: bool


def code_actions(
    session: Session, params: lsp.CodeActionParams
) -> Awaitable[list[lsp.CodeAction | lsp.Command]]:
    """Offer what can be done at a range; no model runs, for editors ask at every cursor move."""
    snapshot = session.documents.get(params.text_document.uri)
    # Now: what it tells of is where the document is at this moment.
    about_last_edit = [*of_last_edit(session, snapshot)]
    return _offered(session, snapshot, params, about_last_edit)


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
    session: Session,
    snapshot: Snapshot,
    params: lsp.CodeActionParams,
    about_last_edit: list[Entry],
) -> list[lsp.CodeAction | lsp.Command]:
    able = session.capabilities
    wanted = partial(_wanted, params.context.only)
    if not any(map(wanted, KINDS)):
        return []
    reason = refusal(snapshot, session.settings)
    if not (able.lazy_edits or able.apply_edit or able.frames):
        reason = reason or CANNOT_APPLY
    pointer = snapshot.positions.span(params.range)
    opened = session.documents.all()

    def found() -> list[Entry]:
        here = entries(snapshot, pointer, is_diagnosed=bool(params.context.diagnostics))
        # A resolved edit is one document's: that of several is a command, whose edit the server
        # applies or the client shows.
        others = opened if able.apply_edit or able.frames else []
        return [*here, *in_open_files(snapshot, others, session.settings)]

    # Off the loop: the first parse of a large file takes tens of milliseconds.
    chosen = [Entry(title="fill", command=FILL, spans=(pointer,))]
    if not reason:
        chosen = [*await asyncio.to_thread(found), *about_last_edit]
    if not able.instruction_prompt:
        chosen = [entry for entry in chosen if not entry.asks]
    if not able.disabled_actions:
        chosen = [entry for entry in chosen if not (reason or entry.disabled)]
    chosen = [entry for entry in chosen if wanted(entry.kind)]
    if not able.action_literals:
        return [_command(entry, snapshot) for entry in chosen if not entry.disabled]
    actions = [_action(session, entry, snapshot, reason or entry.disabled) for entry in chosen]
    for entry, action in zip(chosen, actions, strict=True):
        action.diagnostics = _mended(snapshot, entry, params.context.diagnostics)
    return [*actions]


def _mended(
    snapshot: Snapshot, entry: Entry, diagnostics: Sequence[lsp.Diagnostic]
) -> list[lsp.Diagnostic] | None:
    """Return the diagnostics on the lines of the syntax error that an entry is for."""
    if entry.mended is None:
        return None
    lines = snapshot.positions.lines
    first, last = lines.line_at(entry.mended.start), lines.line_at(entry.mended.end)
    return [d for d in diagnostics if first <= d.range.end.line and d.range.start.line <= last]


def _action(
    session: Session, entry: Entry, snapshot: Snapshot, disabled: str | None
) -> lsp.CodeAction:
    action = lsp.CodeAction(f"Diffill: {entry.title}", kind=entry.kind)
    if disabled:
        action.disabled = lsp.CodeActionDisabled(disabled)
        return action
    if session.capabilities.generated_tag:
        action.tags = [lsp.CodeActionTag.LlmGenerated]
    if session.capabilities.lazy_edits and not entry.asks and not entry.uris:
        action.data = {
            "uri": snapshot.uri,
            "revision": snapshot.revision,
            "spans": [[span.start, span.end] for span in entry.spans],
            "order": asdict(entry.order),
            "exact": entry.is_exact,
        }
    else:
        # Some clients never resolve an action (eglot 1.9, ALE 3.3). To send them the edit at once
        # would run the model at every cursor move; a command runs when the action is picked, and
        # all clients can run one. It also runs where LSP itself cannot: it cannot ask for text, so
        # the client adds the instruction before it sends the command.
        action.command = _command(entry, snapshot)
    return action


def _command(entry: Entry, snapshot: Snapshot) -> lsp.Command:
    argument: dict[str, object] = {"uri": snapshot.uri, "version": snapshot.version}
    if entry.uris:
        argument = {"uris": [*entry.uris]}
    if entry.command not in (FILL_ALL, REROLL):
        spans = [entry.mended] if entry.mended else entry.spans
        ranges = [snapshot.positions.range(span) for span in spans]
        argument |= {"range": ranges[0]} if len(ranges) == 1 else {"ranges": ranges}
    if entry.command == REWRITE and entry.order.instruction:
        argument["instruction"] = entry.order.instruction
    return lsp.Command(f"Diffill: {entry.title}", entry.command, arguments=[argument])


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
