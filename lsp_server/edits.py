"""From replacements to the edit a client applies, and what other changes do to a span."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from grammars.lines import line_end, with_line_end
from grammars.span import Replacement, Span, minimal

if TYPE_CHECKING:
    from lsp_server.documents import Snapshot

_ANNOTATION = "diffill"


@dataclass(frozen=True, slots=True)
class Shift:
    """What a change of a text does to the spans around it."""

    span: Span
    by: int  # how far what stands behind it moves
    # What touches the change is glued to nothing: a line that began there, or ended, does so still.
    spares_behind: bool
    spares_before: bool

    @classmethod
    def of(cls, text: str, change: Replacement) -> Shift:
        """Return what a change of `text` does."""
        start, end, new = change.span.start, change.span.end, change.text
        before, behind = text[max(start - 1, 0) : start], text[end : end + 1]
        old = change.span.of(text)
        return cls(
            change.span,
            len(new) - len(old),
            _is_edge((before + old)[-1:]) and _is_edge((before + new)[-1:]),
            _is_edge(before) or (_is_edge((old + behind)[:1]) and _is_edge((new + behind)[:1])),
        )


def _is_edge(char: str) -> bool:
    return char in ("", "\n", "\r")  # at the start or end of the text there is none


def moved(span: Span, shift: Shift) -> Span | None:
    """Return where a span is after a change elsewhere, None if the change was inside.

    What is typed right before or behind a span is inside, but for whole lines. An empty span has no
    inside but the cursor it stands for: whatever touches it changes it.
    """
    start, end = shift.span.start, shift.span.end
    if start == end and not shift.by:
        return span
    if end < span.start or (end == span.start and len(span) and shift.spares_behind):
        return Span(span.start + shift.by, span.end + shift.by)
    if start > span.end or (start == span.end and len(span) and shift.spares_before):
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
