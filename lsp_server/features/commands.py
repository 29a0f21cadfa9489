"""The commands, edits the server applies itself or hands back: `lsp_server.live` describes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from lsprotocol import types as lsp

from lsp_server.arguments import EVERYWHERE, SOMEWHERE, Target, read_target
from lsp_server.context import chosen_for
from lsp_server.drafts import Draft, draft
from lsp_server.failures import InvalidParams, Refused
from lsp_server.places import Places, every_hole, pointed_at
from lsp_server.refusals import refusal
from lsp_server.session import Session
from lsp_server.surroundings import shown_path

FILL = "diffill.fill"
FILL_ALL = "diffill.fillAll"
REWRITE = "diffill.rewrite"
CONTEXT = "diffill.context"

CANNOT_APPLY = "this editor does not let a language server apply an edit"
NO_CHANGE = "Diffill proposes to leave the text as it is"


def fill(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[object]:
    """Fill selections, or the hole or statement at a cursor."""
    target = read_target(session, params.arguments, SOMEWHERE)
    places = pointed_at(target.pointers)
    return _run(session, target, places, "Diffill: fill", params.work_done_token)


def fill_all(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[object]:
    """Fill every hole of a document."""
    target = read_target(session, params.arguments, EVERYWHERE)
    return _run(session, target, every_hole, "Diffill: fill all holes", params.work_done_token)


def rewrite(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[object]:
    """Rewrite selections, or the statement at a cursor, by an instruction."""
    target = read_target(session, params.arguments, SOMEWHERE)
    if target.instruction is None:
        raise InvalidParams(
            f"{REWRITE} needs an `instruction`: the client is to ask the user for it"
        )
    places = pointed_at(target.pointers)
    return _run(session, target, places, "Diffill: rewrite", params.work_done_token)


async def _context(session: Session, target: Target) -> object:
    if reason := refusal(target.snapshot, session.settings):
        raise Refused(reason)
    snapshot = target.snapshot
    spans = await asyncio.to_thread(pointed_at(target.pointers), snapshot)
    found = await chosen_for(session, snapshot, snapshot.text, spans)
    return [
        {
            "path": shown_path(one.path, session.folders),
            "names": sorted(one.definition.names),
            "reason": one.reason,
            "text": one.definition.text,
        }
        for one in found
    ]


def context(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[object]:
    """Tell which definitions of other files the model is shown for a place."""
    return _context(session, read_target(session, params.arguments, SOMEWHERE))


COMMANDS: dict[str, Callable[[Session, lsp.ExecuteCommandParams], Awaitable[object]]] = {
    FILL: fill,
    FILL_ALL: fill_all,
    REWRITE: rewrite,
    CONTEXT: context,
}


def execute(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[object]:
    """Run the command a client names."""
    command = COMMANDS.get(params.command)
    if command is None:
        raise InvalidParams(f"there is no command {params.command!r}, only {', '.join(COMMANDS)}")
    return command(session, params)


async def _run(
    session: Session,
    target: Target,
    places: Places,
    label: str,
    token: lsp.ProgressToken | None,
) -> object:
    if target.apply and not session.capabilities.apply_edit:
        raise Refused(CANNOT_APPLY)
    made = draft(
        session,
        target.snapshot,
        places,
        instruction=target.instruction,
        token=token,
        name=target.name,
    )
    if target.apply:
        return await _apply(session, (await made).accepted(), label)
    try:
        return _preview(session, await made)
    except Refused as error:
        return {"edit": None, "reason": str(error), "stats": {}}


def _preview(session: Session, proposal: Draft) -> dict[str, Any]:
    edit = proposal.edit(session) if proposal.replacements else None
    reason = None if edit else proposal.reason or NO_CHANGE
    return {"edit": edit, "reason": reason, "stats": asdict(proposal.stats)}


async def _apply(session: Session, proposal: Draft, label: str) -> None:
    if not proposal.replacements:
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
