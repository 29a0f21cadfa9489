"""The report: one Markdown table of sets and modes, one of the differences between modes."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from engine.evaluation.records import Record
from engine.evaluation.scores import RESAMPLES, Estimate, estimate

_COLUMNS = (
    "set",
    "mode",
    "n",
    "pass@1",
    "exact",
    "edit similarity",
    "parses",
    "offered",
    "tokens a call",
    "calls + context",
    "s p50",
    "s p95",
)
_NOTES = f"""\
Brackets: 95 %, bootstrap over tasks, {RESAMPLES:,} draws; where all cases agree, the interval has
no width. A refused fill is no pass and no exact match. Tokens are the text's and its end, calls
those of decoding; calls that read the context are behind the plus. Modes: base is the frozen base,
one token a call; sequential the same with the adapter; parallel denoises a canvas whose length it
finds by growing; fixed has {{fixed}} tokens, probed the length whose blank canvas looks best,
oracle the true length. Those three are first drafts, without gate or second try."""
_EDIT_COLUMNS = (
    "edit tasks",
    "n",
    "pass@1",
    "excess lines",
    "blanks kept",
    "parses",
    "offered",
    "tokens a call",
    "calls + context",
    "s p50",
    "s p95",
)
_EDIT_NOTES = """\
Edit tasks are rewrites by instruction. Excess lines: those an offered edit removes or adds beyond
as many as a person's does, a mean. Blanks kept: offered edits in which no other line than those a
person changes got other white space. Tasks in languages but Python are judged by parser and
patterns. The engine is tuned on the half dev, never on held."""

Score = Callable[[Record], float]


def markdown(settings: str, records: Sequence[Record], fixed_tokens: int) -> str:
    """Return the report on records in their order: sets, then modes, the first mode the baseline.

    `settings` is a line that says how they were made.
    """
    fills = [r for r in records if not r.half]
    edits = [r for r in records if r.half]
    parts = [settings]
    if fills:
        rows = [_row(name, mode, found) for name, mode, found in _grouped(fills)]
        parts.append(_table(_COLUMNS, rows))
        if differences := list(_differences(fills)):
            columns = ("set", f"against {fills[0].mode}", "n", "pass@1", "exact")
            parts.append(_table(columns, differences))
        parts.append(_NOTES.format(fixed=fixed_tokens))
    if edits:
        parts += [_table(_EDIT_COLUMNS, list(_edit_rows(edits))), _EDIT_NOTES]
    return "\n\n".join(parts) + "\n"


def _edit_rows(records: Sequence[Record]) -> Iterator[tuple[str, ...]]:
    """Yield a row a category, then one a half and one for all."""
    for name in dict.fromkeys(r.set for r in records):
        yield _edit_row(name.replace("_", " "), [r for r in records if r.set == name])
    halves = sorted({r.half for r in records})
    for half in halves:
        yield _edit_row(f"half {half}", [r for r in records if r.half == half])
    if len(halves) > 1:
        yield _edit_row("all", records)


def _edit_row(name: str, records: Sequence[Record]) -> tuple[str, ...]:
    offered = [r for r in records if r.offered]
    return (
        name,
        str(len(records)),
        _percent(_estimate(_passed, records)),
        f"{statistics.fmean(r.excess for r in offered):.2f}" if offered else "",
        f"{100 * statistics.fmean(r.kept for r in offered):.1f}" if offered else "",
        *_cost(records),
    )


def _grouped(records: Sequence[Record]) -> Iterator[tuple[str, str, list[Record]]]:
    order = {
        (name, mode): None
        for name in dict.fromkeys(r.set for r in records)
        for mode in dict.fromkeys(r.mode for r in records)
    }
    for name, mode in order:
        found = [r for r in records if (r.set, r.mode) == (name, mode)]
        if found:
            yield name, mode, found


def _row(name: str, mode: str, records: Sequence[Record]) -> tuple[str, ...]:
    return (
        name,
        mode,
        str(len(records)),
        _percent(_estimate(_passed, records)) if records[0].passed is not None else "",
        _percent(_estimate(_exact, records)),
        f"{100 * statistics.fmean(r.similarity for r in records):.1f}",
        *_cost(records),
    )


def _cost(records: Sequence[Record]) -> tuple[str, ...]:
    """Return what fills and rewrites tell alike, from the share that parses to the seconds."""
    steps = sum(r.steps for r in records)
    seconds = [r.seconds for r in records]
    return (
        f"{100 * statistics.fmean(r.parses for r in records):.1f}",
        f"{100 * statistics.fmean(r.offered for r in records):.1f}",
        f"{sum(r.tokens for r in records) / steps:.2f}" if steps else "",
        f"{steps / len(records):.1f} + {statistics.fmean(r.context_calls for r in records):.1f}",
        f"{_quantile(seconds, 0.5):.2f}",
        f"{_quantile(seconds, 0.95):.2f}",
    )


def _differences(records: Sequence[Record]) -> Iterator[tuple[str, ...]]:
    """Yield, mode by mode, the paired differences from the first mode on the same cases."""
    for name, of_set in groupby(_grouped(records), lambda group: group[0]):
        (_, _, first), *others = of_set
        baseline = {r.id: r for r in first}
        for _, mode, found in others:
            pairs = [(r, baseline[r.id]) for r in found if r.id in baseline]
            if not pairs:
                continue
            scores = (_passed, _exact) if pairs[0][0].passed is not None else (None, _exact)
            cells = [_percent(_paired(score, pairs), "+") if score else "" for score in scores]
            yield name, mode, str(len(pairs)), *cells


def _passed(record: Record) -> float:
    return float(bool(record.passed))


def _exact(record: Record) -> float:
    return float(record.exact)


def _estimate(score: Score, records: Sequence[Record]) -> Estimate:
    return estimate([score(r) for r in records], [r.task for r in records])


def _paired(score: Score, pairs: Sequence[tuple[Record, Record]]) -> Estimate:
    return estimate([score(a) - score(b) for a, b in pairs], [a.task for a, _ in pairs])


def _percent(e: Estimate, sign: str = "") -> str:
    return f"{100 * e.mean:{sign}.1f} [{100 * e.low:{sign}.1f}, {100 * e.high:{sign}.1f}]"


def _quantile(values: Sequence[float], share: float) -> float:
    """Return a quantile that has been seen: no interpolation between few values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
