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
    snapshot: Snapshot,
    replacements: Iterable[Replacement],
    *,
    versioned: bool,
    to_confirm: str | None = None,
) -> lsp.WorkspaceEdit:
    """Return the edit of one document.

    All its ranges refer to the snapshot's text, as LSP wants it; no offsets are added up.
    `versioned` is for clients that understand `documentChanges`. With `to_confirm` the client asks
    its user about what this calls the edit; it must be versioned then.
    """
    edits = [lsp.TextEdit(snapshot.positions.range(r.span), r.text) for r in replacements]
    if not versioned:
        return lsp.WorkspaceEdit(changes={snapshot.uri: edits})
    document = lsp.OptionalVersionedTextDocumentIdentifier(snapshot.uri, snapshot.version)
    if to_confirm is None:
        return lsp.WorkspaceEdit(document_changes=[lsp.TextDocumentEdit(document, edits)])
    asked = [lsp.AnnotatedTextEdit(_ANNOTATION, edit.range, edit.new_text) for edit in edits]
    return lsp.WorkspaceEdit(
        document_changes=[lsp.TextDocumentEdit(document, asked)],
        change_annotations={_ANNOTATION: lsp.ChangeAnnotation(to_confirm, needs_confirmation=True)},
    )
