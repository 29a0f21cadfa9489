"""What was measured, and the rows it comes to: medians of runs, ratios pair by pair."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

BASELINE = "Diffill"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One answer of one engine to one case; samples of a run of a case are a pair."""

    part: str
    what: str  # the cases it is one of
    case: str
    run: int
    engine: str
    seconds: float
    tokens: int | None = None  # that end in the buffer: of a refused answer, none
    changed: float | None = None  # share of the old text's tokens that are others now
    floor_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one engine's samples come to; times are medians of a case's runs."""

    part: str
    what: str
    engine: str
    num_cases: int
    num_runs: int
    p50_s: float | None = None
    p95_s: float | None = None
    tokens_s: float | None = None
    ratio: float | None = None  # the baseline takes once as long: the median of pairs
    changed: float | None = None
    floor_s: float | None = None
    over_floor: float | None = None
    peak_mb: float | None = None


def rows_of(samples: Iterable[Sample]) -> list[Row]:
    """Return a row for each engine of each kind of cases, in the order they came in."""
    groups: dict[tuple[str, str], dict[str, list[Sample]]] = {}
    for s in samples:
        groups.setdefault((s.part, s.what), {}).setdefault(s.engine, []).append(s)
    return [
        _row(of_engine, engines.get(BASELINE, []))
        for engines in groups.values()
        for of_engine in engines.values()
    ]


def _row(samples: Sequence[Sample], baseline: Sequence[Sample]) -> Row:
    first = samples[0]
    seconds = _by_case(samples, lambda s: s.seconds)
    tokens = _by_case(samples, lambda s: s.tokens)
    changed = _by_case(samples, lambda s: s.changed)
    floors = [s.floor_s for s in samples if s.floor_s]
    over = [s.seconds / s.floor_s for s in samples if s.floor_s]
    ours = {(s.case, s.run): s.seconds for s in baseline}
    pairs = [s.seconds / ours[s.case, s.run] for s in samples if (s.case, s.run) in ours]
    return Row(
        part=first.part,
        what=first.what,
        engine=first.engine,
        num_cases=len(seconds),
        num_runs=len({s.run for s in samples}),
        p50_s=statistics.median(seconds),
        p95_s=percentile(seconds, 0.95),
        tokens_s=sum(tokens) / sum(seconds) if tokens else None,
        ratio=statistics.median(pairs) if pairs and first.engine != BASELINE else None,
        changed=statistics.median(changed) if changed else None,
        floor_s=statistics.median(floors) if floors else None,
        over_floor=statistics.median(over) if over else None,
    )


def _by_case(samples: Sequence[Sample], value: Callable[[Sample], float | None]) -> list[float]:
    """Return the median of each case's runs, of those that have the value."""
    ordered = sorted(samples, key=lambda s: s.case)
    runs = ([v for s in of if (v := value(s)) is not None] for _, of in groupby(ordered, _case))
    return [statistics.median(values) for values in runs if values]


def _case(sample: Sample) -> str:
    return sample.case


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed: one that was seen."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
