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
from engine.config import EFFORTS
from engine.errors import CheckpointError, ConfigError
from engine.evaluation.cases import Case, functions_of, read_cases, read_held, spread
from engine.evaluation.edits import EditTask, read_tasks
from engine.evaluation.modes import CAUSAL, FIXED_TOKENS, MODES, REWRITE
from engine.evaluation.records import Record, Records
from engine.evaluation.report import markdown
from engine.evaluation.sandbox import Sandbox, find_sandbox
from engine.evaluation.scores import (
    edit_similarity,
    excess_lines,
    is_exact,
    keeps_white_space,
    parses,
)
from engine.protocol import Effort
from grammars.span import Replacement
from grammars.validation import validate

if TYPE_CHECKING:
    from engine.evaluation.predictors import Predictors


def evaluate(args: Namespace) -> str:
    """Predict and score what is not on disk yet, and return the report, also written to `out`.

    Raises:
        EngineError: for cases, a sandbox, a model or an adapter that cannot be used.
    """
    cases = _cases(args.cases, args.held, args.limit, args.seed, functions=args.functions)
    tasks = _tasks(args.edits, args.half, args.limit, args.seed)
    if not cases and not tasks:
        raise ConfigError(
            "nothing to evaluate: give files of cases, held-out sources by --held, or --edits"
        )
    tested = tasks or any(case.test is not None for case in cases)
    sandbox = find_sandbox() if tested else None
    local = resolve_local(args.model)
    # Torch: what is refused above is refused at once.
    from engine.evaluation.predictors import Predictors
    from engine.loading import adapter_of, load_model
    from engine.prefix_cache import PrefixCache

    adapter = _adapter(args.adapter) if args.adapter else adapter_of(local)
    modes = args.mode or (MODES if adapter else CAUSAL[:1])
    deadline_s = float(args.deadline or EFFORTS[Effort(args.effort)].deadline_s)
    records = Records(args.out / "predictions.jsonl")
    digest = _digest(adapter) if adapter else "none"
    settings = {
        "model": local.entry.name,
        "file": local.entry.sha256 or str(local.path),
        "adapter": digest,
        "effort": args.effort,
        "deadline": deadline_s,
        "raw": args.raw,
        "seed": args.seed,
        "code": _digest(*_sources()),
    }
    run = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]
    jobs: list[_Job] = [(case, mode) for case in cases for mode in modes]
    jobs += [(task, REWRITE) for task in tasks]
    missing = [j for j in jobs if not records.find(run, j[0].digest, j[0].set, j[0].id, j[1])]
    if missing:
        _say(f"{len(missing)} of {len(jobs)} predictions to make; reading the model")
        model, tokenizer = load_model(local, lambda message, fraction: None, adapter)
        predictors = Predictors(
            model,
            tokenizer,
            local.entry.family,
            PrefixCache(model, 0),  # every case cold: it must not depend on the one before it
            Effort(args.effort),
            args.seed,
            deadline_s,
            args.raw,
        )
        _predict(_Work(predictors, sandbox, records, run), missing)
    found = [records.find(run, c.digest, c.set, c.id, mode) for c, mode in jobs]
    drafts = "first drafts" if args.raw else "as in the editor"
    title = (
        f"{local.entry.name}, adapter {digest[:12]}, effort {args.effort}, {drafts}, "
        f"seed {args.seed}"
    )
    text = markdown(title, [record for record in found if record], FIXED_TOKENS)
    (args.out / "report.md").write_text(text, encoding="utf-8")
    return text


_Job = tuple[Case | EditTask, str]  # and the mode


@dataclass(frozen=True, slots=True)
class _Work:
    predictors: Predictors
    sandbox: Sandbox | None
    records: Records
    run: str

    def do(self, job: _Job) -> Record:
        """Fill or rewrite, score, keep both."""
        case, mode = job
        record = self._rewritten(case) if isinstance(case, EditTask) else self._filled(case, mode)
        self.records.add(record)
        return record

    def warm_up(self, job: _Job) -> None:
        """Do a job for nothing: the first of a process is slow."""
        case, mode = job
        if isinstance(case, EditTask):
            self.predictors.rewrite(case)
        else:
            self.predictors.predict(mode, case)

    def _rewritten(self, task: EditTask) -> Record:
        made = self.predictors.rewrite(task)
        assert self.sandbox
        old = task.span.of(task.text)
        change = (old, made.text, task.expected)
        return Record(
            run=self.run,
            case=task.digest,
            set=task.set,
            half=task.half,
            id=task.id,
            task=task.id,
            language=task.language,
            mode=REWRITE,
            text=made.text,
            offered=made.offered,
            passed=made.offered and self.sandbox.passes(task.program(made.text)),
            exact=made.offered and is_exact(made.text, task.expected),
            similarity=edit_similarity(made.text, task.expected),
            parses=bool(made.text.strip())
            and validate(task.text, [Replacement(task.span, made.text)], task.language).ok,
            excess=excess_lines(*change),
            kept=keeps_white_space(*change),
            tokens=made.tokens,
            steps=made.steps,
            context_calls=made.context_calls,
            seconds=made.seconds,
        )

    def _filled(self, case: Case, mode: str) -> Record:
        made = self.predictors.predict(mode, case)
        passed = None
        if case.test is not None:
            assert self.sandbox
            program = case.prefix + made.text + case.suffix + "\n" + case.test
            passed = made.offered and self.sandbox.passes(program)
        return Record(
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


def _predict(work: _Work, jobs: Sequence[_Job]) -> None:
    """Work case by case, all modes of one after each other: the machine's load hits them alike."""
    for mode in dict.fromkeys(mode for _, mode in jobs if mode != REWRITE):
        work.predictors.of(mode)  # refuses what the adapter does not allow before any work
    work.warm_up(jobs[0])
    started, done = time.monotonic(), 0
    for case, of_case in groupby(jobs, lambda job: job[0]):
        said: list[str] = []
        for job in of_case:
            record = work.do(job)
            done += 1
            good = record.exact if record.passed is None else record.passed
            said.append(f"{job[1]} {'good' if good else 'bad' if record.offered else 'refused'}")
        left = (time.monotonic() - started) / done * (len(jobs) - done)
        _say(f"{done}/{len(jobs)}, {left:.0f} s left: {case.set} {case.id}: {', '.join(said)}")


def _cases(
    files: Sequence[Path],
    held: Sequence[Path],
    limit: int | None,
    seed: int,
    *,
    functions: bool = False,
) -> list[Case]:
    cases: list[Case] = []
    if functions:
        every = (case for path in files for case in read_cases(path))
        cases += spread(functions_of(every), limit, seed)
        files = ()
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


def _tasks(paths: Sequence[Path], half: str | None, limit: int | None, seed: int) -> list[EditTask]:
    tasks = [task for task in read_tasks(paths) if half in (None, task.half)]
    by_category: dict[str, list[EditTask]] = {}
    for task in tasks:
        by_category.setdefault(task.set, []).append(task)
    return [task for found in by_category.values() for task in spread(found, limit, seed)]


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
        *(here / name for name in ("predictors.py", "scores.py", "sandbox.py", "edits.py")),
    ]


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)  # noqa: T201 - a command's progress
