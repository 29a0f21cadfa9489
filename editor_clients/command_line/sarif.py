"""Edits as SARIF 2.1.0: one result a span, with a fix a review tool can show and apply."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from editor_clients.command_line.outcomes import FileOutcome, SpanOutcome, SpanStatus
from grammars.lines import LineIndex
from grammars.span import Span

_LEVELS = {
    SpanStatus.EDITED: "note",
    SpanStatus.INVALID: "warning",
    SpanStatus.FAILED: "error",
}


def log(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a whole SARIF log."""
    rules = [{"id": f"diffill/{status}"} for status in _LEVELS]
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "diffill", "rules": rules}},
                "columnKind": "unicodeCodePoints",
                "results": results,
            }
        ],
    }


def results(outcome: FileOutcome) -> Iterator[dict[str, Any]]:
    """Yield a result for each span that was edited, or could not be."""
    lines = LineIndex(outcome.file.text)
    path = Path(outcome.file.name)
    uri = path.absolute().as_uri() if path.is_absolute() else quote(path.as_posix())
    artifact = {"uri": uri}
    for span in outcome.spans:
        if span.status not in _LEVELS:
            continue
        region = _region(lines, span.place.span)
        result: dict[str, Any] = {
            "ruleId": f"diffill/{span.status}",
            "level": _LEVELS[span.status],
            "message": {"text": _message(span)},
            "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
        }
        if span.status is SpanStatus.EDITED:
            change = {"deletedRegion": region, "insertedContent": {"text": span.text}}
            result["fixes"] = [
                {"artifactChanges": [{"artifactLocation": artifact, "replacements": [change]}]}
            ]
        yield result


def _message(span: SpanOutcome) -> str:
    told = "; ".join(span.reasons) or f"{span.status} by Diffill"
    return f"{span.place.what}: {told}" if span.place.what else told


def _region(lines: LineIndex, span: Span) -> dict[str, int]:
    first, last = lines.line_at(span.start), lines.line_at(span.end)
    return {
        "startLine": first + 1,
        "startColumn": span.start - lines.span(first).start + 1,
        "endLine": last + 1,
        "endColumn": span.end - lines.span(last).start + 1,
    }
