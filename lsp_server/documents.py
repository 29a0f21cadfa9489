"""The open documents, exactly as the client has them.

pygls keeps them too, but splits lines where editors do not (form feed, U+2028), which puts later
changes on wrong lines. Its copy is not fed; this one is the truth.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from lsprotocol import types as lsp
from pygls.uris import to_fs_path

from grammars.languages import language_of_path
from grammars.lines import LineIndex
from grammars.span import Replacement, Span, apply, minimal
from lsp_server.edits import Shift, moved
from lsp_server.failures import Refused, Stale
from lsp_server.positions import Positions

log = logging.getLogger(__name__)

MAX_REMEMBERED_CHANGES = 512

_THIS_MACHINE = re.compile("^file://localhost/", re.IGNORECASE)


@dataclass(frozen=True)
class Snapshot:
    """A document at one moment. `revision` is ours: it grows with every change of any document.

    The client's `version` cannot serve as identity: it starts again when a document is reopened,
    and some clients do not count it.
    """

    uri: str
    version: int
    text: str
    language_id: str
    encoding: lsp.PositionEncodingKind | str
    revision: int

    @cached_property
    def positions(self) -> Positions:
        """The converter for positions in this text."""
        return Positions(LineIndex(self.text), self.encoding)

    def changed(self, change: Replacement, revision: int) -> Snapshot:
        """Return the document after a change."""
        new = replace(self, text=apply(self.text, [change]), revision=revision)
        vars(new)["positions"] = self.positions.after(change, new.text)  # cached, as if asked for
        return new

    @property
    def path(self) -> str:
        """The file's path, or what stands in its place for an unsaved document."""
        return _fs_path(self.uri) or unquote(self.uri)

    @property
    def language(self) -> str:
        """The client's language id, or what the file's name tells where there is none."""
        return self.language_id or language_of_path(self.path)


def local_path(uri: str) -> Path | None:
    """Return the path of a file on this machine, None for what is shown from elsewhere."""
    path = _fs_path(uri)
    return Path(os.path.normpath(path)) if path and "\0" not in path else None


def _fs_path(uri: str) -> str | None:
    """Return the path that a URI names, None if it names none."""
    try:
        # pygls takes every host for a part of the path.
        return to_fs_path(_THIS_MACHINE.sub("file:///", uri))
    except ValueError:  # what stands in `[]` for a host is no address
        return None


@dataclass
class _Document:
    snapshot: Snapshot
    # What each change did, with the revision it was applied to.
    shifts: deque[tuple[int, Shift]] = field(
        default_factory=lambda: deque(maxlen=MAX_REMEMBERED_CHANGES)
    )
    in_sync: bool = True
    is_behind: bool = False  # the client has another text, which is to come


class Documents:
    """The store: fed by the notifications of the client, read by requests."""

    def __init__(self) -> None:
        self.encoding: lsp.PositionEncodingKind | str = lsp.PositionEncodingKind.Utf16
        self._documents: dict[str, _Document] = {}
        # From the clock, in ms: an action offered by an earlier server process must not match.
        self._revisions = itertools.count(int(time.time() * 1000))

    def open(self, item: lsp.TextDocumentItem) -> None:
        """Take in a document, or take it in again."""
        self._documents[unquote(item.uri)] = _Document(
            Snapshot(
                item.uri,
                item.version,
                item.text,
                item.language_id,
                self.encoding,
                next(self._revisions),
            )
        )

    def close(self, uri: str) -> None:
        """Forget a document."""
        self._documents.pop(unquote(uri), None)

    def change(
        self,
        identifier: lsp.VersionedTextDocumentIdentifier
        | lsp.OptionalVersionedTextDocumentIdentifier,
        changes: Iterable[lsp.TextDocumentContentChangeEvent],
    ) -> str | None:
        """Apply a notification's changes, one after the other.

        A notification older than the text we have cannot be applied: the document is not used
        until its whole text arrives again, and the message for the user is returned, once.

        Raises:
            Refused: if the document is not open.
        """
        document = self._find(identifier.uri)
        document.is_behind = False
        was_in_sync = document.in_sync
        # An equal version is let pass: a client that does not count sends the same one for ever.
        last = document.snapshot.version
        version = last if identifier.version is None else identifier.version
        if version < last:
            log.error("version %s came after %s", version, last)
            document.in_sync = False
        for change in changes:
            self._apply(document, change)
        document.snapshot = replace(document.snapshot, version=version)
        return _out_of_sync(document) if was_in_sync and not document.in_sync else None

    def lose(self, uri: str) -> str | None:
        """Take note that a change could not be read; the message for the user is returned, once.

        Raises:
            Refused: if the document is not open.
        """
        document = self._find(uri)
        was_in_sync, document.in_sync = document.in_sync, False
        return _out_of_sync(document) if was_in_sync else None

    def expect(self, snapshot: Snapshot, text: str) -> None:
        """Take note that the client has made `text` of a document, if it did not say so yet."""
        document = self._documents.get(unquote(snapshot.uri))
        if document and document.snapshot.revision == snapshot.revision:
            document.is_behind = text != snapshot.text

    def get(self, uri: str) -> Snapshot:
        """Return a document as it is now.

        Raises:
            Refused: if it is not open or not in sync.
            Stale: if the client has another text.
        """
        document = self._find(uri)
        if not document.in_sync:
            raise Refused(_out_of_sync(document))
        if document.is_behind:
            raise Stale
        return document.snapshot

    def is_open(self, uri: str) -> bool:
        """Tell whether the client has a document open, in sync or not."""
        return unquote(uri) in self._documents

    def all(self) -> list[Snapshot]:
        """Return the documents that are open and in sync, as they are now."""
        return [d.snapshot for d in self._documents.values() if d.in_sync]

    def texts(self) -> dict[Path, str]:
        """Return the texts of all files of this machine that are open."""
        paths = ((local_path(snapshot.uri), snapshot.text) for snapshot in self.all())
        return {path: text for path, text in paths if path}

    def relocate(self, uri: str, revision: int, span: Span) -> Span | None:
        """Return where a span of an earlier revision is now, or None if it was changed itself.

        None, too, where the revision is too old or was never a revision of this document.
        """
        document = self._find(uri)
        if revision == document.snapshot.revision:
            return span
        if all(before != revision for before, _ in document.shifts):
            return None
        place: Span | None = span
        for before, shift in document.shifts:
            if place and before >= revision:
                place = moved(place, shift)
        return place

    def _find(self, uri: str) -> _Document:
        document = self._documents.get(unquote(uri))
        if document is None:
            raise Refused(f"{unquote(uri)} is not open")
        return document

    def _apply(self, document: _Document, change: lsp.TextDocumentContentChangeEvent) -> None:
        old = document.snapshot
        if isinstance(change, lsp.TextDocumentContentChangePartial):
            if not document.in_sync:
                return
            span = old.positions.span(change.range)
        else:
            span = Span(0, len(old.text))
            document.in_sync = True
        replacement = Replacement(span, change.text)
        # Clients may replace more than they change; only the change itself moves spans.
        smallest = minimal(old.text, replacement)
        document.shifts.append((old.revision, Shift.of(old.text, smallest)))
        document.snapshot = old.changed(smallest, next(self._revisions))


def _out_of_sync(document: _Document) -> str:
    return (
        f"changes of {document.snapshot.path} arrived in the wrong order or could not be read: "
        "close and open the file to edit it with Diffill again"
    )
