"""What the engines are asked: holes to fill, and rewrites that change little or much.

Without files of their own both come from the edit tasks beside this file, the half for development.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import groupby
from pathlib import Path

from engine.errors import ConfigError
from engine.evaluation.cases import Case, read_cases, spread
from engine.evaluation.edits import EditTask, read_tasks
from engine.evaluation.holes import holes
from engine.protocol import EditRequest
from engine.tokenizer import Tokenizer

EDITS = Path(__file__).with_name("edits")
SHARES = (0.05, 0.5)  # of a rewrite that a person changes
_KINDS = ("single-line", "multi-line")
_SEED = 0


def fill_cases(files: Sequence[Path], count: int) -> dict[str, list[Case]]:
    """Return `count` holes of each file (of HumanEval-Infilling), or of each kind of our own.

    Raises:
        ConfigError: naming the file, the line and what is wrong with it.
    """
    found = [case for file in files for case in read_cases(file)] if files else _own_cases()
    found.sort(key=_set)
    return {name: spread(list(cases), count, _SEED) for name, cases in groupby(found, _set)}


def cases_in(path: str) -> list[Case]:
    """Read a file of cases, as the type of an argument: what is wrong with it is told as such."""
    try:
        return read_cases(Path(path))
    except ConfigError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def fill_request(case: Case, deadline_s: float, max_tokens: int | None = None) -> EditRequest:
    """Return what asks Diffill to fill the hole of a case."""
    return EditRequest(
        text=case.text,
        spans=(case.span,),
        language=case.language,
        single_line=case.single_line,
        max_tokens=max_tokens,
        deadline_s=deadline_s,
    )


def rewrite_tasks(tokenizer: Tokenizer, count: int) -> dict[str, list[EditTask]]:
    """Return, for each of `SHARES`, the `count` tasks whose own answers change nearest to that."""
    tasks = [task for task in read_tasks([EDITS]) if task.half == "dev"]
    shares = {t.id: changed(tokenizer, t.span.of(t.text), t.expected) for t in tasks}
    return {
        f"about {share:.0%} changed": sorted(tasks, key=lambda t: abs(shares[t.id] - share))[:count]
        for share in SHARES
    }


def changed(tokenizer: Tokenizer, old: str, new: str) -> float:
    """Return the share of tokens, of the longer text, that are not the same in both."""
    before, after = tokenizer.encode(old), tokenizer.encode(new)
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    longest = max(len(before), len(after))
    return 1 - sum(block.size for block in blocks) / longest if longest else 0.0


def _own_cases() -> list[Case]:
    tasks = [t for t in read_tasks([EDITS]) if t.half == "dev" and t.language == "python"]
    texts = {task.id: task.edited(task.expected) for task in tasks}
    return [
        Case(
            set=hole.kind,
            id=name,
            task=name,
            prefix=text[: hole.span.start],
            suffix=text[hole.span.end :],
            truth=hole.span.of(text),
            language="python",
            single_line=hole.kind == "single-line",
        )
        for name, text in texts.items()
        for hole in holes(text, random.Random(name))
        if hole.kind in _KINDS and text[: hole.span.start].strip()
    ]


def _set(case: Case) -> str:
    return case.set
