"""Scored predictions on disk: one JSON object a line, written as they come, so a run can go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One case under one mode, its fill or rewrite and its scores.

    `run` and `case` are hashes of the settings and of the case: only equal ones compare.
    """

    run: str
    case: str
    set: str
    id: str
    task: str
    language: str
    mode: str
    text: str
    offered: bool
    passed: bool | None  # None where there is no test
    exact: bool
    similarity: float
    parses: bool
    tokens: int
    steps: int
    context_calls: int
    seconds: float
    half: str = ""  # of an edit task: dev or held
    excess: int = 0  # lines it changes beyond those a person would
    kept: bool = True  # whether what should stay has its white space still

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What makes a record the answer to a case."""
        return self.run, self.case, self.set, self.id, self.mode


class Records:
    """The records of one file, those of other runs too; nothing in it is ever rewritten.

    Raises:
        ConfigError: if the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[tuple[str, str, str, str, str], Record] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+", encoding="utf-8") as file:
                file.seek(0)
                text = file.read()
                if text and not text.endswith("\n"):  # the last run was killed in mid-line
                    file.write("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be used for predictions: {error}") from error
        for record in _readable(text):
            self._found[record.key] = record

    def find(self, run: str, case: str, set: str, id: str, mode: str) -> Record | None:
        """Return a record made before."""
        return self._found.get((run, case, set, id, mode))

    def add(self, record: Record) -> None:
        """Write a record, at once."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(record)) + "\n")
        self._found[record.key] = record


def _readable(text: str) -> Iterator[Record]:
    for line in text.split("\n"):
        try:
            fields: dict[str, Any] = json.loads(line)
            yield Record(**fields)
        except (ValueError, TypeError):
            continue  # cut short by a kill, or of an older form: its case is done again
