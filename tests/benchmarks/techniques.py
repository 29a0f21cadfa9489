"""Measure each technique of decoding on real cases: `python -m tests.benchmarks.techniques`.

    python -m tests.benchmarks.techniques CASES.jsonl.gz ... [--limit 34] [--out FILE.json]

The default model with its adapter on the same cases of HumanEval-Infilling for all techniques; each
case's context is read once, before its techniques are timed one after the other. A row of the table
is one technique; FILE.json holds what every case became.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from engine.catalogue import resolve_local
from engine.config import EFFORTS, DenoiseConfig, Pacing, Scoring
from engine.evaluation.cases import Case, spread
from engine.evaluation.predictors import Prediction, Predictors
from engine.evaluation.sandbox import find_sandbox
from engine.evaluation.scores import estimate, parses
from engine.loading import load_model, shipped_adapter
from engine.prefix_cache import PrefixCache
from engine.protocol import Effort
from tests.benchmarks.cases import cases_in

DEFAULT = DenoiseConfig()


@dataclass(frozen=True)
class Technique:
    """A mode of `diffill eval` with its changes; `edited` as in the editor, else first drafts."""

    mode: str
    edited: bool = False
    denoise: DenoiseConfig = DEFAULT
    tries: int | None = None  # further ones after a refused first
    reviewed: bool = True

    @contextmanager
    def applied(self) -> Generator[None]:
        """Let requests be decoded so."""
        effort = replace(EFFORTS[Effort.BALANCED], denoise=self.denoise)
        if self.tries is not None:
            effort = replace(effort, repair_rounds=self.tries)
        with ExitStack() as stack:
            stack.enter_context(patch.dict(EFFORTS, {Effort.BALANCED: effort}))
            if not self.reviewed:
                stack.enter_context(patch("engine.judging.Judge.reviewer", return_value=None))
            yield


def _canvas(mode: str = "oracle", **changes: Any) -> Technique:
    """Denoise a canvas, of the true length unless told: so rules compare, not lengths."""
    return Technique(mode, denoise=replace(DEFAULT, **{"max_revisions": 0} | changes))


TECHNIQUES = {
    "base, a token a pass": Technique("base"),
    "adapter, a token a pass": Technique("sequential"),
    "adapter, drafts of the context verified": Technique("verified"),
    "the same, gated": Technique("verified", edited=True, tries=0, reviewed=False),
    "the same, gated, ends reviewed": Technique("verified", edited=True, tries=0),
    "the same, gated, two more tries": Technique("verified", edited=True, reviewed=False),
    "as shipped: gated, reviewed, more tries": Technique("verified", edited=True),
    "canvas: a token a step": _canvas(commit_threshold=1.0),
    "canvas: threshold 0.9": _canvas(),
    "canvas: threshold 0.7": _canvas(commit_threshold=0.7),
    "canvas: factor 1": _canvas(pacing=Pacing.FACTOR),
    "canvas: entropy 0.4": _canvas(pacing=Pacing.ENTROPY, entropy_bound=0.4),
    "canvas: 0.9, by margin": _canvas(scoring=Scoring.MARGIN),
    "canvas: 0.9, finish at a gap of 3": _canvas(finish_gap=3.0),
    "canvas: 0.9, credit 0.7": _canvas(credit=0.7),
    "canvas: 0.9, line by line": _canvas(by_line=True),
    "canvas: 0.9, revising": _canvas(max_revisions=1),
    "canvas: 0.9, revoking under 0.3": _canvas(max_revisions=1, revoke_threshold=0.3),
    "canvas: 0.9, guided by syntax": _canvas(guided=True),
    "canvas: 0.9, two repairs": _canvas(repairs=2),
    "canvas: 0.9, guided, two repairs": _canvas(guided=True, repairs=2),
    "canvas of 64 tokens": _canvas("fixed"),
    "canvas of a probed length": _canvas("probed"),
    "canvas that grows": _canvas("parallel"),
}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.techniques", description=__doc__)
    parser.add_argument("cases", nargs="+", type=cases_in)
    parser.add_argument("--limit", type=int, default=34, help="cases of a file")
    parser.add_argument(
        "--longest",
        type=int,
        default=1000,
        metavar="N",
        help="characters of a hole; a canvas of a hundred tokens takes minutes for all techniques",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="techniques whose name holds this")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    cases: list[Case] = []
    for found in args.cases:
        short = [c for c in found if len(c.truth) <= args.longest]
        cases += spread(short, args.limit, args.seed)
    chosen = {
        name: technique
        for name, technique in TECHNIQUES.items()
        if not args.only or any(part in name for part in args.only)
    }
    local = resolve_local(None)
    model, tokenizer = load_model(local, lambda message, fraction: None, shipped_adapter(local))

    shared = (model, tokenizer, local.entry.family, PrefixCache(model), Effort.BALANCED, 0, 600.0)
    made = {edited: Predictors(*shared, raw=not edited) for edited in (False, True)}
    sandbox = find_sandbox()
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
    for number, case in enumerate(cases, 1):
        made[False].predict("base", case)  # reads the context
        for name, technique in chosen.items():
            with technique.applied():
                found = made[technique.edited].predict(technique.mode, case)
            rows[name].append(_scored(case, found, sandbox.passes))
        passed = sum(bool(row[-1]["passed"]) for row in rows.values())
        print(f"{number}/{len(cases)} {case.id}: {passed} of {len(rows)}", file=sys.stderr)
        if args.out:
            args.out.write_text(json.dumps(rows), "utf-8")
    print(_table(rows))
    return 0


def _scored(case: Case, made: Prediction, passes: Callable[[str], bool]) -> dict[str, Any]:
    program = case.prefix + made.text + case.suffix + "\n" + (case.test or "")
    good = bool(made.text.strip()) and parses(case.prefix, made.text, case.suffix, case.language)
    return {
        "set": case.set,
        "id": case.id,
        "task": case.task,
        "text": made.text,
        "offered": made.offered,
        "parses": good,
        "passed": made.offered and good and passes(program),
        "tokens": made.tokens,
        "steps": made.steps,
        "seconds": made.seconds,
    }


def _table(rows: dict[str, list[dict[str, Any]]]) -> str:
    sets = list(dict.fromkeys(row["set"] for row in next(iter(rows.values()))))
    counts = [sum(row["set"] == name for row in next(iter(rows.values()))) for name in sets]
    heads = [f"{name} ({count})" for name, count in zip(sets, counts, strict=True)]
    columns = ["pass@1", *heads, "all [95 %]", "parses", "offered", "calls", "tokens a call", "s"]
    lines = [columns, ["---", *["--:"] * (len(columns) - 1)]]
    for name, found in rows.items():
        passed = estimate([float(r["passed"]) for r in found], [r["task"] for r in found])
        steps = sum(r["steps"] for r in found)
        lines.append(
            [
                name,
                *(_percent([r["passed"] for r in found if r["set"] == s]) for s in sets),
                f"{100 * passed.mean:.1f} [{100 * passed.low:.0f}, {100 * passed.high:.0f}]",
                _percent([r["parses"] for r in found]),
                _percent([r["offered"] for r in found]),
                f"{steps / len(found):.1f}",
                f"{sum(r['tokens'] for r in found) / steps:.2f}",
                f"{statistics.median(r['seconds'] for r in found):.2f}",
            ]
        )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _percent(values: list[bool]) -> str:
    return f"{100 * statistics.fmean(values):.1f}"


if __name__ == "__main__":
    sys.exit(main())
