"""The commands `diffill.fill` and `diffill.rewrite`: edits the server applies itself.

Both take one argument, an object:
    {"uri": str,                 an open document
     "version": int | null,      of the document the range refers to; left out: as it is now
     "range": Range,             a selection, or a cursor where start equals end
     "instruction": str}         `diffill.rewrite` alone: what to change
The edit arrives as `workspace/applyEdit`; the result is null once the client has applied it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from lsprotocol import types as lsp

from grammars.span import Span
from lsp_server.documents import Snapshot
from lsp_server.drafts import Draft, draft
from lsp_server.failures import InvalidParams, Refused, Stale
from lsp_server.session import Session

FILL = "diffill.fill"
REWRITE = "diffill.rewrite"


@dataclass(frozen=True, slots=True)
class Target:
    """The text a command is about."""

    snapshot: Snapshot
    span: Span
    instruction: str | None


def fill(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[None]:
    """Fill a selection, or the statement at a cursor."""
    target = _target(session, params.arguments, {"uri", "version", "range"})
    return _apply(session, target, "Diffill: fill", params.work_done_token)


def rewrite(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[None]:
    """Rewrite a selection, or the statement at a cursor, by an instruction."""
    target = _target(session, params.arguments, {"uri", "version", "range", "instruction"})
    if target.instruction is None:
        raise InvalidParams(
            f"{REWRITE} needs an `instruction`: the client is to ask the user for it"
        )
    return _apply(session, target, "Diffill: rewrite", params.work_done_token)


COMMANDS: dict[str, Callable[[Session, lsp.ExecuteCommandParams], Awaitable[None]]] = {
    FILL: fill,
    REWRITE: rewrite,
}


def execute(session: Session, params: lsp.ExecuteCommandParams) -> Awaitable[None]:
    """Run the command a client names."""
    command = COMMANDS.get(params.command)
    if command is None:
        raise InvalidParams(f"there is no command {params.command!r}, only {', '.join(COMMANDS)}")
    return command(session, params)


async def _apply(
    session: Session, target: Target, label: str, token: lsp.ProgressToken | None
) -> None:
    if not session.capabilities.apply_edit:
        raise Refused("this editor does not let a language server apply an edit")
    proposal = await draft(
        session, target.snapshot, target.span, instruction=target.instruction, token=token
    )
    if not proposal.replacements:
        session.inform("Diffill proposes to leave the text as it is")
        return
    answer = await session.ask(
        session.server.workspace_apply_edit(_params(session, proposal, label))
    )
    if not answer.applied:
        raise Refused(f"the editor did not apply the edit: {answer.failure_reason or 'no reason'}")


def _params(session: Session, proposal: Draft, label: str) -> lsp.ApplyWorkspaceEditParams:
    metadata = lsp.WorkspaceEditMetadata(is_refactoring=True)
    return lsp.ApplyWorkspaceEditParams(
        proposal.edit(session), label, metadata if session.capabilities.edit_metadata else None
    )


def _target(session: Session, arguments: Sequence[Any] | None, keys: set[str]) -> Target:
    if not arguments or len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise InvalidParams(f"one object with the keys {', '.join(sorted(keys))} is expected")
    given = cast(dict[str, Any], arguments[0])
    if unknown := given.keys() - keys:
        raise InvalidParams(f"unknown key {', '.join(sorted(unknown))}")
    uri, version, instruction = given.get("uri"), given.get("version"), given.get("instruction")
    if not isinstance(uri, str):
        raise InvalidParams(f"uri is {uri!r}, not a string")
    if version is not None and not isinstance(version, int):
        raise InvalidParams(f"version is {version!r}, not a number")
    if instruction is not None and (not isinstance(instruction, str) or not instruction.strip()):
        raise InvalidParams(f"instruction is {instruction!r}, not a text")
    where = _range(given.get("range"))
    snapshot = session.documents.get(uri)
    if version is not None and version != snapshot.version:
        raise Stale
    return Target(snapshot, snapshot.positions.span(where), instruction)


def _range(value: object) -> lsp.Range:
    match value:
        case {"start": start, "end": end}:
            return lsp.Range(_position(cast(object, start)), _position(cast(object, end)))
        case _:
            raise InvalidParams(f"range is {value!r}, not a range")


def _position(value: object) -> lsp.Position:
    match value:
        case {"line": int(line), "character": int(character)} if min(line, character) >= 0:
            return lsp.Position(line, character)
        case _:
            raise InvalidParams(f"{value!r} is not a position")
