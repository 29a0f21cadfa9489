"""Edits as SARIF 2.1.0: one result a span, with a fix a review tool can show and apply."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from editor_clients.command_line.outcomes import FileOutcome, SpanOutcome, SpanStatus
from editor_clients.command_line.places import Place
from grammars.lines import LineIndex
from grammars.span import Replacement, Span, minimal

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
    for span in _of_the_file_as_it_is(outcome):
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


def _of_the_file_as_it_is(outcome: FileOutcome) -> list[SpanOutcome]:
    """Return the spans; one for all changes where some of them build upon others."""
    if not any(span.step for span in outcome.spans):
        return outcome.spans
    old = outcome.file.text
    first = [span for span in outcome.spans if not span.step and not span.is_change]
    if not outcome.is_changed:
        return first
    whole = minimal(old, Replacement(Span(0, len(old)), outcome.text))
    what = "; ".join(dict.fromkeys(s.place.what for s in outcome.spans if s.is_change))
    joined = SpanOutcome(place=Place(whole.span, what), status=SpanStatus.EDITED, text=whole.text)
    return [*first, joined]


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
