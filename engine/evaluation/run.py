"""An evaluation from its arguments to its report."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import engine
import grammars
from engine.catalogue import resolve_local
from engine.errors import CheckpointError, ConfigError
from engine.evaluation.cases import Case, read_cases, read_held, spread
from engine.evaluation.modes import CAUSAL, FIXED_TOKENS, MODES
from engine.evaluation.records import Record, Records
from engine.evaluation.report import markdown
from engine.evaluation.sandbox import Sandbox, find_sandbox
from engine.evaluation.scores import edit_similarity, is_exact, parses
from engine.protocol import Effort

if TYPE_CHECKING:
    from engine.evaluation.predictors import Predictors


def evaluate(args: Namespace) -> str:
    """Predict and score what is not on disk yet, and return the report, also written to `out`.

    Raises:
        EngineError: for cases, a sandbox, a model or an adapter that cannot be used.
    """
    cases = _cases(args.cases, args.held, args.limit, args.seed)
    sandbox = find_sandbox() if any(case.test is not None for case in cases) else None
    local = resolve_local(args.model)
    # Torch: what is refused above is refused at once.
    from engine.evaluation.predictors import Predictors
    from engine.loading import load_model, shipped_adapter

    adapter = _adapter(args.adapter) if args.adapter else shipped_adapter(local)
    modes = args.mode or (MODES if adapter else CAUSAL[:1])
    records = Records(args.out / "predictions.jsonl")
    settings = {
        "model": local.entry.name,
        "file": local.entry.sha256 or str(local.path),
        "adapter": _digest(adapter) if adapter else "none",
        "effort": args.effort,
        "raw": args.raw,
        "seed": args.seed,
        "code": _digest(*_sources()),
    }
    run = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
    jobs = [(case, mode) for case in cases for mode in modes]
    missing = [j for j in jobs if not records.find(run, j[0].digest, j[0].set, j[0].id, j[1])]
    if missing:
        _say(f"{len(missing)} of {len(jobs)} predictions to make; reading the model")
        model, tokenizer = load_model(local, lambda message, fraction: None, adapter)
        predictors = Predictors(
            model, tokenizer, local.entry.family, Effort(args.effort), args.seed, args.raw
        )
        _predict(_Work(predictors, sandbox, records, run), missing, modes)
    found = [records.find(run, c.digest, c.set, c.id, mode) for c, mode in jobs]
    drafts = "first drafts" if args.raw else "as in the editor"
    title = (
        f"{local.entry.name}, adapter {settings['adapter'][:12]}, effort {args.effort}, {drafts}, "
        f"seed {args.seed}"
    )
    text = markdown(title, [record for record in found if record], FIXED_TOKENS)
    (args.out / "report.md").write_text(text, encoding="utf-8")
    return text


@dataclass(frozen=True, slots=True)
class _Work:
    predictors: Predictors
    sandbox: Sandbox | None
    records: Records
    run: str

    def do(self, case: Case, mode: str) -> Record:
        """Fill a case, score the fill, keep both."""
        made = self.predictors.predict(mode, case)
        passed = None
        if case.test is not None:
            assert self.sandbox
            program = case.prefix + made.text + case.suffix + "\n" + case.test
            passed = made.offered and self.sandbox.passes(program)
        record = Record(
            run=self.run,
            case=case.digest,
            set=case.set,
            id=case.id,
            task=case.task,
            language=case.language,
            mode=mode,
            text=made.text,
            offered=made.offered,
            passed=passed,
            exact=made.offered and is_exact(made.text, case.truth),
            similarity=edit_similarity(made.text, case.truth),
            parses=bool(made.text.strip())
            and parses(case.prefix, made.text, case.suffix, case.language),
            tokens=made.tokens,
            steps=made.steps,
            context_calls=made.context_calls,
            seconds=made.seconds,
        )
        self.records.add(record)
        return record


def _predict(work: _Work, jobs: Sequence[tuple[Case, str]], modes: Sequence[str]) -> None:
    """Work case by case, all modes of one after each other: the machine's load hits them alike."""
    for mode in modes:
        work.predictors.of(mode)  # refuses what the adapter does not allow before any work
    work.predictors.predict(modes[0], jobs[0][0])  # the first fill of a process is slow: not scored
    started, done = time.monotonic(), 0
    for case, of_case in groupby(jobs, lambda job: job[0]):
        said: list[str] = []
        for _, mode in of_case:
            record = work.do(case, mode)
            done += 1
            good = record.exact if record.passed is None else record.passed
            said.append(f"{mode} {'good' if good else 'bad' if record.offered else 'refused'}")
        left = (time.monotonic() - started) / done * (len(jobs) - done)
        _say(f"{done}/{len(jobs)}, {left:.0f} s left: {case.set} {case.id}: {', '.join(said)}")


def _cases(files: Sequence[Path], held: Sequence[Path], limit: int | None, seed: int) -> list[Case]:
    if not files and not held:
        raise ConfigError("nothing to evaluate: give files of cases, or held-out sources by --held")
    cases: list[Case] = []
    for path in files:
        cases += spread(read_cases(path), limit, seed)
    for path in held:
        by_language: dict[str, list[Case]] = {}
        for case in read_held(path, seed):
            by_language.setdefault(case.set, []).append(case)
        for name in sorted(by_language):
            cases += spread(by_language[name], limit, seed)
    if len({(case.set, case.id) for case in cases}) < len(cases):
        raise ConfigError("two files hold the same cases")
    return cases


def _adapter(value: str) -> Path | None:
    if value == "none":
        return None
    path = Path(value)
    if not path.is_file():
        raise CheckpointError(f"{path} is not a file: no adapter there")
    return path


def _sources() -> list[Path]:
    """The code a prediction depends on: after a change of it, old predictions do not count."""
    folders = [Path(next(iter(package.__path__))) for package in (engine, grammars)]
    here = Path(__file__).parent
    return [
        *(path for folder in folders for path in sorted(folder.glob("*.py"))),
        *(here / name for name in ("predictors.py", "scores.py", "sandbox.py")),
    ]


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)  # noqa: T201 - a command's progress
