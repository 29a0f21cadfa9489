"""A code lens at every hole: fill it, or all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from lsprotocol import types as lsp

from grammars.holes import Hole
from lsp_server.documents import Snapshot
from lsp_server.names import FILL, FILL_ALL
from lsp_server.places import holes_of, offer_for_all
from lsp_server.refusals import refusal
from lsp_server.session import Session
from lsp_server.settings import Settings


def code_lenses(session: Session, params: lsp.CodeLensParams) -> Awaitable[list[lsp.CodeLens]]:
    """Return the lenses of a document."""
    return _lenses(session.documents.get(params.text_document.uri), session.settings)


async def _lenses(snapshot: Snapshot, settings: Settings) -> list[lsp.CodeLens]:
    if not settings.code_lens or refusal(snapshot, settings):
        return []
    holes = await asyncio.to_thread(holes_of, snapshot)
    lenses = [_lens(snapshot, hole) for hole in holes]
    if title := offer_for_all(holes):
        lenses.insert(0, _lens_for_all(snapshot, holes[0], title))
    return lenses


def _lens(snapshot: Snapshot, hole: Hole) -> lsp.CodeLens:
    where = snapshot.positions.range(hole.span)
    argument = {"uri": snapshot.uri, "version": snapshot.version, "range": where}
    return _at(snapshot, hole, lsp.Command("Diffill: fill", FILL, arguments=[argument]))


def _lens_for_all(snapshot: Snapshot, first: Hole, title: str) -> lsp.CodeLens:
    argument = {"uri": snapshot.uri, "version": snapshot.version}
    return _at(snapshot, first, lsp.Command(f"Diffill: {title}", FILL_ALL, arguments=[argument]))


def _at(snapshot: Snapshot, hole: Hole, command: lsp.Command) -> lsp.CodeLens:
    """Put a command on a hole's first line: a lens has a range of one line."""
    start = snapshot.positions.position(hole.span.start)
    return lsp.CodeLens(lsp.Range(start, start), command)
