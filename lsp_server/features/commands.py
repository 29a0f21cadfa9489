"""The commands, edits the server applies itself or hands back: `lsp_server.live` describes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

from lsprotocol import types as lsp

from grammars.span import apply
from lsp_server.arguments import (
    AT_ONE_PLACE,
    EVERYWHERE,
    IN_FILES,
    MAX_FILES,
    SOMEWHERE,
    Target,
    read_target,
    read_uri,
)
from lsp_server.context import chosen_for
from lsp_server.documents import Snapshot
from lsp_server.drafts import Draft, Order, draft
from lsp_server.failures import InvalidParams, Refused
from lsp_server.metrics import Kind
from lsp_server.names import (
    ACCEPTED,
    CONTEXT,
    FILL,
    FILL_ALL,
    FILL_OPEN,
    REPAIR,
    REROLL,
    REWRITE,
)
from lsp_server.places import (
    HOLES,
    Places,
    broken_near,
    every_hole,
    exactly,
    having_holes,
    pointed_at,
)
from lsp_server.refusals import refusal
from lsp_server.rewrites import MEND
from lsp_server.session import Session
from lsp_server.surroundings import shown_path

Command = Callable[[Session, lsp.ExecuteCommandParams], Awaitable[object] | None]

CANNOT_APPLY = "this editor does not let a language server apply an edit"
NO_CHANGE = "Diffill proposes to leave the text as it is"
NO_DOUBTS = "the model was sure of all of the last edit here, or it has been changed since"


def fill(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[object]:
    """Fill selections, or the hole or statement at a cursor."""
    target = read_target(session, params.arguments, SOMEWHERE)
    order = Order(instruction=target.instruction)
    places = pointed_at(target.pointers)
    token = params.work_done_token
    return _told(target, _run(session, target, places, order, "Diffill: fill", token))


def fill_all(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[object]:
    """Fill every hole of some documents."""
    target = read_target(session, params.arguments, IN_FILES)
    token = params.work_done_token
    label = "Diffill: fill all holes"
    return _told(target, _run(session, target, every_hole, Order(), label, token))


def fill_open(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[object]:
    """Fill every hole of all open documents that have any, the one named first."""
    target = read_target(session, params.arguments, EVERYWHERE)
    (first,) = target.snapshots
    opened = [first, *(s for s in session.documents.all() if s.uri != first.uri)]
    return _told(target, _fill_open(session, target, opened, params.work_done_token))


def rewrite(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[object]:
    """Rewrite selections, or the statement at a cursor, by an instruction."""
    target = read_target(session, params.arguments, SOMEWHERE)
    if target.instruction is None:
        raise InvalidParams(
            f"{REWRITE} needs an `instruction`: the client is to ask the user for it"
        )
    order = Order(instruction=target.instruction)
    places = pointed_at(target.pointers)
    token = params.work_done_token
    return _told(target, _run(session, target, places, order, "Diffill: rewrite", token))


def repair(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[object]:
    """Mend the syntax error at a place, or the first of the document."""
    target = read_target(session, params.arguments, AT_ONE_PLACE)
    return _told(target, _repair(session, target, params.work_done_token))


def reroll(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[object]:
    """Fill once more what the model was unsure of in the last edit of a document."""
    target = read_target(session, params.arguments, EVERYWHERE)
    return _told(target, _reroll(session, target, params.work_done_token))


def context(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[object]:
    """Tell which definitions of other files the model is shown for a place."""
    return _context(session, read_target(session, params.arguments, AT_ONE_PLACE))


def accepted(session: Session, params: lsp.ExecuteCommandParams) -> None:
    """Take note that the completion shown last in a document was accepted."""
    session.offers.accept(Kind.COMPLETION, read_uri(params.arguments))


COMMANDS: dict[str, Command] = {
    FILL: fill,
    FILL_ALL: fill_all,
    FILL_OPEN: fill_open,
    REWRITE: rewrite,
    REPAIR: repair,
    REROLL: reroll,
    CONTEXT: context,
    ACCEPTED: accepted,
}


def execute(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[object] | None:
    """Run the command a client names."""
    command = COMMANDS.get(params.command)
    if command is None:
        raise InvalidParams(f"there is no command {params.command!r}, only {', '.join(COMMANDS)}")
    return command(session, params)


async def _run(
    session: Session,
    target: Target,
    places: Places,
    order: Order,
    label: str,
    token: lsp.ProgressToken | None,
) -> object:
    if target.apply and not session.capabilities.apply_edit:
        raise Refused(CANNOT_APPLY)
    made = draft(session, target.snapshots, places, order, token=token, name=target.name)
    if target.apply:
        return await _apply(session, (await made).accepted(), label)
    return _preview(session, await made)


async def _told(target: Target, made: Awaitable[object]) -> object:
    """Return what was made; who asked for the edit alone is told a refusal as its reason."""
    try:
        return await made
    except Refused as error:
        if target.apply:
            raise
        return {"edit": None, "reason": str(error), "stats": {}}


async def _fill_open(
    session: Session, target: Target, opened: list[Snapshot], token: lsp.ProgressToken | None
) -> object:
    def found() -> tuple[Snapshot, ...]:
        return tuple(islice(having_holes(opened, session.settings), MAX_FILES))

    snapshots = await asyncio.to_thread(found)
    if not snapshots:
        raise Refused(f"no open file has {HOLES}")
    label = "Diffill: fill all holes of the open files"
    target = replace(target, snapshots=snapshots)
    return await _run(session, target, every_hole, Order(), label, token)


async def _reroll(session: Session, target: Target, token: lsp.ProgressToken | None) -> object:
    spans, rolls = session.offers.doubts(target.snapshots[0].uri)
    if not spans:
        raise Refused(NO_DOUBTS)
    order = Order(rolls=rolls)
    return await _run(session, target, exactly(spans), order, "Diffill: roll again", token)


async def _repair(session: Session, target: Target, token: lsp.ProgressToken | None) -> object:
    (snapshot,), (pointer,) = target.snapshots, target.pointers
    if reason := refusal(snapshot, session.settings):
        raise Refused(reason)
    broken = await asyncio.to_thread(broken_near, snapshot, pointer)
    order = Order(instruction=MEND.format(broken.told(snapshot.text)), mends=True)
    return await _run(session, target, exactly([broken.block]), order, "Diffill: repair", token)


async def _context(session: Session, target: Target) -> object:
    (snapshot,) = target.snapshots
    if reason := refusal(snapshot, session.settings):
        raise Refused(reason)
    spans = await asyncio.to_thread(pointed_at(target.pointers), snapshot)
    return [
        {
            "path": shown_path(one.path, session.folders),
            "names": sorted(one.definition.names),
            "reason": one.reason,
            "text": one.definition.text,
        }
        for one in await chosen_for(session, snapshot, snapshot.text, spans)
    ]


def _preview(session: Session, proposal: Draft) -> dict[str, Any]:
    edit = proposal.edit(session) if proposal.changes else None
    reason = None if edit else proposal.reason or NO_CHANGE
    return {"edit": edit, "reason": reason, "stats": asdict(proposal.stats)}


async def _apply(session: Session, proposal: Draft, label: str) -> None:
    if not proposal.changes:
        session.inform(NO_CHANGE)
        return
    metadata = lsp.WorkspaceEditMetadata(is_refactoring=True)
    params = lsp.ApplyWorkspaceEditParams(
        proposal.edit(session, to_apply=label),
        label,
        metadata if session.capabilities.edit_metadata else None,
    )
    answer = await session.ask(session.server.workspace_apply_edit(params))
    if not answer.applied:
        raise Refused(f"the editor did not apply the edit: {answer.failure_reason or 'no reason'}")
    if not session.capabilities.document_changes:
        # Without a version, an edit of the text before it would be applied, too.
        for change in proposal.changes:
            text = apply(change.snapshot.text, change.replacements)
            session.documents.expect(change.snapshot, text)
