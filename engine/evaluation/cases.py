"""The cases: holes whose content is known, from benchmark files and from held-out sources."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from engine.errors import ConfigError
from engine.evaluation.holes import holes
from engine.protocol import MAX_TEXT_CHARS
from grammars.languages import language_of_path
from grammars.lines import indentation, with_line_end
from grammars.selection import body_of
from grammars.span import Span
from grammars.symbols import find_symbol

_T = TypeVar("_T")
_TASK = re.compile(r"HumanEval/\d+")
_FIELDS = ("task_id", "prompt", "suffix", "canonical_solution", "test", "entry_point")
_MARKS = re.compile(r"^humaneval-|(\.dev)?\.jsonl(\.gz)?$")


@dataclass(frozen=True, slots=True)
class Case:
    """A hole between prefix and suffix; `test` follows the filled text and fails if it is wrong.

    Cases of one `task` are not independent: intervals resample tasks.
    """

    set: str
    id: str
    task: str
    prefix: str
    suffix: str
    truth: str
    language: str
    single_line: bool
    test: str | None = None
    old: str = ""  # what stands in the hole

    @property
    def text(self) -> str:
        """The whole text, with what stands in the hole."""
        return self.prefix + self.old + self.suffix

    @property
    def span(self) -> Span:
        """Where in it the hole is."""
        return Span(len(self.prefix), len(self.prefix) + len(self.old))

    @property
    def digest(self) -> str:
        """A hash of all that a prediction may depend on."""
        parts = (self.prefix, self.suffix, self.language, str(self.single_line))
        parts += (self.old,) if self.old else ()  # as before there was any
        return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def read_cases(path: Path) -> list[Case]:
    """Read a file of HumanEval-Infilling: task_id, entry_point, prompt, suffix, and so on.

    Raises:
        ConfigError: naming the file, the line and what is wrong with it.
    """
    name = _MARKS.sub("", path.name)
    cases: list[Case] = []
    for where, row in _rows(path):
        task_id, prompt, suffix, truth, test, entry_point = (
            _text(row, field, where) for field in _FIELDS
        )
        task = _TASK.search(task_id)
        cases.append(
            Case(
                set=name,
                id=task_id,
                task=task[0] if task else task_id,
                prefix=prompt,
                suffix=suffix,
                truth=truth,
                language="python",
                single_line=task_id.startswith("SingleLine"),
                test=f"{test}\ncheck({entry_point})\n",
            )
        )
    return _checked(cases, path)


def functions_of(cases: Iterable[Case]) -> list[Case]:
    """Return a case for each task: all that its tested function does, where `pass` stands.

    Raises:
        ConfigError: if there is none.
    """
    found: dict[str, Case] = {}
    for case in cases:
        whole = case.prefix + case.truth + case.suffix
        name = (case.test or "").rstrip().rpartition("check(")[2].removesuffix(")")
        functions = find_symbol(whole, case.language, name)
        body = body_of(whole, case.language, functions[-1]) if functions else None
        if body is None or case.task in found:
            continue
        first = next(line for line in body.of(whole).splitlines() if line.strip())
        found[case.task] = Case(
            set="functions",
            id=case.task,
            task=case.task,
            prefix=whole[: body.start],
            suffix=whole[body.end :],
            truth=body.of(whole),
            language=case.language,
            single_line=False,
            test=case.test,
            old=f"{indentation(first)}pass\n",
        )
    if not found:
        raise ConfigError("no case has a function that its test checks")
    return list(found.values())


def read_held(path: Path, seed: int) -> list[Case]:
    """Make holes in held-out files (package, path or name, text, perhaps language), one a kind.

    Their sets are the languages; files no grammar knows are left out.

    Raises:
        ConfigError: naming the file, the line and what is wrong with it.
    """
    cases: list[Case] = []
    for where, row in _rows(path):
        file = _text(row, "path" if "path" in row else "name", where)
        package, text = _text(row, "package", where), _text(row, "text", where)
        language = row.get("language") or language_of_path(file)
        if not isinstance(language, str):
            raise ConfigError(f"{where}: language is {language!r}, not a string")
        text = with_line_end(text, "\n")
        if not language or len(text) > MAX_TEXT_CHARS:
            continue
        cases += [
            Case(
                set=f"held-out {language}",
                id=f"{package}:{file}:{hole.kind}",
                task=package,
                prefix=text[: hole.span.start],
                suffix=text[hole.span.end :],
                truth=hole.span.of(text),
                language=language,
                single_line=hole.kind != "multi-line",
            )
            for hole in holes(text, random.Random(f"{seed}:{package}:{file}"))
        ]
    cases.sort(key=lambda case: case.id.rpartition(":")[2])  # so that a spread has all kinds alike
    return _checked(cases, path)


def spread(cases: Sequence[_T], limit: int | None, seed: int) -> list[_T]:
    """Return `limit` cases spread evenly over all of them; the seed moves where it begins."""
    if limit is None or limit >= len(cases):
        return list(cases)
    offset = random.Random(seed).random()
    return [cases[int((i + offset) * len(cases) / limit)] for i in range(limit)]


def _checked(cases: list[Case], path: Path) -> list[Case]:
    if not cases:
        raise ConfigError(f"{path} holds no case")
    if len({case.id for case in cases}) < len(cases):
        raise ConfigError(f"{path} holds a case twice")
    return cases


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the objects of a JSONL file, gzipped or not, each with its place for messages."""
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                where = f"{path} line {number}"
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise ConfigError(f"{where} is not JSON: {error}") from error
                if not isinstance(row, dict):
                    raise ConfigError(f"{where} is not a JSON object")
                yield where, row
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path} cannot be read: {reason}") from error


def _text(row: Mapping[str, Any], field: str, where: str) -> str:
    if field not in row:
        raise ConfigError(f"{where}: there is no {field}")
    if not isinstance(row[field], str):
        raise ConfigError(f"{where}: {field} is {row[field]!r:.60}, not a string")
    return row[field]
