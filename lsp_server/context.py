"""What the model is told of other files, for an edit of an open document."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from engine.protocol import Excerpt
from grammars.span import Span
from lsp_server.documents import Snapshot, local_path
from lsp_server.surroundings import Chosen, Project, Subject, choose, excerpts

if TYPE_CHECKING:
    from lsp_server.session import Session


async def chosen_for(
    session: Session,
    snapshot: Snapshot,
    text: str,
    spans: Sequence[Span],
    made: Mapping[Path, str] = MappingProxyType({}),
) -> Sequence[Chosen]:
    """Return the definitions that are shown for spans of a text, that of a document or nearly so.

    `made` are texts that other documents are about to have. Nothing if the setting `context` is
    off, or the document is no file of this machine.
    """
    path = local_path(snapshot.uri)
    if not session.settings.context or not path:
        return ()
    settings = session.settings
    subject = Subject(path, text, snapshot.language, tuple(spans))
    project = Project(
        session.folders,
        {**session.documents.texts(), **made},
        settings.max_file_kb << 10,
        settings.disabled_languages,
    )
    last = session.surroundings.get(path, ())
    chosen = await asyncio.to_thread(choose, subject, project, last)
    if session.documents.is_open(snapshot.uri):  # it may have been closed meanwhile
        session.surroundings[path] = chosen
    return chosen


async def context_of(
    session: Session,
    snapshot: Snapshot,
    text: str,
    spans: Sequence[Span],
    made: Mapping[Path, str] = MappingProxyType({}),
) -> tuple[Excerpt, ...]:
    """Return them as the engine wants them."""
    return excerpts(await chosen_for(session, snapshot, text, spans, made), session.folders)
