"""From replacements to the edit a client applies, and what other changes do to a span."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from grammars.lines import line_end, with_line_end
from grammars.span import Replacement, Span, minimal

if TYPE_CHECKING:
    from lsp_server.documents import Snapshot

_ANNOTATION = "diffill"


def moved(span: Span, change: Replacement) -> Span | None:
    """Return where a span is after a change elsewhere, None if the change was inside.

    Text typed right before or behind a span leaves it alone. An empty span has no inside but the
    cursor it stands for: whatever touches it changes it.
    """
    if change.span.end < span.start or (change.span.end == span.start and len(span)):
        shift = len(change.text) - len(change.span)
        return Span(span.start + shift, span.end + shift)
    if change.span.start > span.end or (change.span.start == span.end and len(span)):
        return span
    return None


def fitted(text: str, replacement: Replacement) -> Replacement:
    """Give a replacement the text's line ends and the smallest range that does it."""
    end = line_end(text)
    return minimal(text, Replacement(replacement.span, with_line_end(replacement.text, end)))


def workspace_edit(
    changes: Iterable[tuple[Snapshot, Iterable[Replacement]]],
    *,
    versioned: bool,
    to_confirm: str | None = None,
) -> lsp.WorkspaceEdit:
    """Return the edit of some documents.

    All its ranges refer to the snapshots' texts, as LSP wants it; no offsets are added up.
    `versioned` is for clients that understand `documentChanges`. With `to_confirm` the client asks
    its user about what this calls the edit; it must be versioned then.
    """
    edits = [
        (s, [lsp.TextEdit(s.positions.range(r.span), r.text) for r in replacements])
        for s, replacements in changes
    ]
    if not versioned:
        return lsp.WorkspaceEdit(changes={snapshot.uri: each for snapshot, each in edits})
    documents = [
        lsp.TextDocumentEdit(
            lsp.OptionalVersionedTextDocumentIdentifier(snapshot.uri, snapshot.version),
            [
                e if to_confirm is None else lsp.AnnotatedTextEdit(_ANNOTATION, e.range, e.new_text)
                for e in each
            ],
        )
        for snapshot, each in edits
    ]
    edit = lsp.WorkspaceEdit(document_changes=documents)
    if to_confirm is not None:
        asked = lsp.ChangeAnnotation(to_confirm, needs_confirmation=True)
        edit.change_annotations = {_ANNOTATION: asked}
    return edit
