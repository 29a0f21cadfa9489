"""Code actions for a selection or a cursor, and the edit of the one the user picks."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from lsprotocol import types as lsp

from grammars.span import Span
from lsp_server.documents import Snapshot
from lsp_server.drafts import draft
from lsp_server.failures import InvalidParams, Stale
from lsp_server.features.commands import FILL, REWRITE
from lsp_server.refusals import refusal
from lsp_server.session import Session

KIND = "refactor.rewrite.diffill"
OPTIONS = lsp.CodeActionOptions(code_action_kinds=[KIND], resolve_provider=True)


def code_actions(
    session: Session, params: lsp.CodeActionParams
) -> list[lsp.CodeAction | lsp.Command]:
    """Offer to fill or rewrite a range; no model runs, for editors ask at every cursor move."""
    if not _wanted(params.context.only):
        return []
    snapshot = session.documents.get(params.text_document.uri)
    offers = [_fill(session, snapshot, params.range)]
    if session.capabilities.instruction_prompt:
        offers.append(_rewrite(snapshot, params.range))
    if reason := refusal(snapshot):
        if not session.capabilities.disabled_actions:
            return []
        disabled = lsp.CodeActionDisabled(reason)
        return [lsp.CodeAction(o.title, kind=KIND, disabled=disabled) for o in offers]
    if not session.capabilities.action_literals:
        return [offer.command for offer in offers if offer.command]
    if session.capabilities.generated_tag:
        for offer in offers:
            offer.tags = [lsp.CodeActionTag.LlmGenerated]
    return list(offers)


def resolve(session: Session, action: lsp.CodeAction) -> Awaitable[lsp.CodeAction] | lsp.CodeAction:
    """Compute the edit of an action; an action that has what it needs is handed back."""
    if action.data is None or action.edit or action.command:
        return action
    uri, revision, span = _offered(action.data)
    snapshot = session.documents.get(uri)
    place = session.documents.relocate(uri, revision, span)
    if place is None:
        raise Stale
    return _resolved(session, action, snapshot, place)


async def _resolved(
    session: Session, action: lsp.CodeAction, snapshot: Snapshot, span: Span
) -> lsp.CodeAction:
    proposal = await draft(session, snapshot, span)
    action.edit = proposal.edit(session)
    return action


def _fill(session: Session, snapshot: Snapshot, where: lsp.Range) -> lsp.CodeAction:
    span = snapshot.positions.span(where)
    title = "Diffill: fill the selection" if len(span) else "Diffill: fill here"
    action = lsp.CodeAction(title, kind=KIND)
    if session.capabilities.lazy_edits and session.capabilities.action_literals:
        action.data = {
            "uri": snapshot.uri,
            "revision": snapshot.revision,
            "span": [span.start, span.end],
        }
    else:
        # Some clients never resolve an action (eglot 1.9, ALE 3.3). To send them the edit at once
        # would run the model at every cursor move; a command runs when the action is picked, and
        # all clients can run one.
        action.command = _command(FILL, title, snapshot, where)
    return action


def _rewrite(snapshot: Snapshot, where: lsp.Range) -> lsp.CodeAction:
    title = "Diffill: rewrite with instruction…"
    # The client adds the instruction before it sends the command: LSP itself cannot ask for text.
    return lsp.CodeAction(title, kind=KIND, command=_command(REWRITE, title, snapshot, where))


def _command(name: str, title: str, snapshot: Snapshot, where: lsp.Range) -> lsp.Command:
    argument = {"uri": snapshot.uri, "version": snapshot.version, "range": where}
    return lsp.Command(title, name, arguments=[argument])


def _wanted(only: object) -> bool:
    """Tell whether a filter of kinds lets ours through; a kind stands for all below it."""
    if not isinstance(only, list | tuple):
        return True
    kinds = [str(getattr(kind, "value", kind)) for kind in only]
    return any(kind in ("", KIND) or KIND.startswith(f"{kind}.") for kind in kinds)


def _offered(data: Any) -> tuple[str, int, Span]:
    match data:
        case {"uri": str(uri), "revision": int(revision), "span": [int(start), int(end)]} if (
            0 <= start <= end
        ):
            return uri, revision, Span(start, end)
        case _:
            raise InvalidParams("the data of this action is not what the server gave out")
