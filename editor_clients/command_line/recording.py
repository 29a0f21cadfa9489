"""The replay file: what the engine was asked, and what it answered.

One JSON object a line, in the order of asking:
    {"schema": 1, "diffill": VERSION, "model": NAME, "request": EditRequest, "result": EditResult}
with "error", a sentence, instead of the result where there was none. The objects are those of
`engine.protocol`: a request holds the whole text of its file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editor_clients.command_line import files
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.screen import counted
from engine import __version__
from engine.catalogue import entry_of
from engine.errors import ConfigError, EngineError
from engine.protocol import EditRequest, EditResult
from grammars.lines import LineIndex

SCHEMA = 1
_FIRST_BYTES = b'{"schema": '

Ask = Callable[[EditRequest], EditResult]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One line of a replay file."""

    model: str
    version: str
    request: EditRequest
    result: EditResult | None  # None: the engine gave no answer
    error: str = ""


class Recorder:
    """Writes down every question put to an engine with its answer, as they come.

    Raises:
        Stop: if the file cannot be made, or holds something else.
    """

    def __init__(self, name: str, model: str | None) -> None:
        self._path = files.output(name, _FIRST_BYTES)
        self._about = {"schema": SCHEMA, "diffill": __version__, "model": _name_of(model)}
        self._has_begun = False

    def around(self, ask: Ask) -> Ask:
        """Return what asks the same and writes it down."""

        def recorded(request: EditRequest) -> EditResult:
            try:
                result = ask(request)
            except EngineError as error:
                self._write(request, {"error": str(error)})
                raise
            self._write(request, {"result": result.to_json()})
            return result

        return recorded

    def _write(self, request: EditRequest, answer: dict[str, Any]) -> None:
        line = json.dumps(self._about | {"request": request.to_json()} | answer)
        try:
            # An older file lives until there is something to take its place.
            with self._path.open("a" if self._has_begun else "w", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise Stop(Exit.REFUSED, f"{self._path}: {files.why(error)}") from error
        self._has_begun = True


def read(name: str, edit: int | None = None) -> list[tuple[int, Recorded]]:
    """Return the lines of a replay file with their numbers, or the one that is asked for.

    Raises:
        Stop: if it cannot be read, is no replay file, or holds no such line.
    """
    try:
        lines = Path(name).read_bytes().splitlines()
    except (OSError, ValueError) as error:
        raise Stop(Exit.USAGE, f"{name}: {files.why(error)}") from error
    if len(lines) < (edit or 1):
        wanted = f"has no edit {edit}; it " if edit else ""
        raise Stop(Exit.USAGE, f"{name}: {wanted}holds {counted(len(lines), 'edit')}")
    numbered = list(enumerate(lines, 1))
    wanted = numbered[edit - 1 : edit] if edit else numbered
    return [(number, _recorded(name, number, line)) for number, line in wanted]


def where(request: EditRequest) -> str:
    """Return the file and line of a request's first span."""
    line = LineIndex(request.text).line_at(min(request.spans).start) + 1
    return f"{request.path or 'text'}:{line}"


def _recorded(name: str, number: int, line: bytes) -> Recorded:
    try:
        data = json.loads(line)
        if data["schema"] != SCHEMA:
            raise Stop(Exit.USAGE, f"{name}: schema {data['schema']}, this Diffill reads {SCHEMA}")
        result = EditResult.from_json(data["result"]) if "result" in data else None
        request = EditRequest.from_json(data["request"])
        return Recorded(data["model"], data["diffill"], request, result, data.get("error", ""))
    except (ValueError, KeyError, TypeError, RecursionError, ConfigError) as error:
        raise Stop(Exit.USAGE, f"{name}:{number}: not a line of a replay file") from error


def _name_of(model: str | None) -> str:
    """Return what a model is called: its name in the catalogue, or its whole path."""
    if entry := entry_of(model):
        return entry.name
    return str(Path(model or os.environ["DIFFILL_MODEL"]).absolute())
