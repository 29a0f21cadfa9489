"""What a run prints on standard output: diffs, JSON, SARIF; and the patch it leaves in a file.

Schema 2 of the JSON. `--json` is one object, `{"schema", "files": [FILE…], "summary"}`;
`--json=stream` is one object a line: `{"schema", "type": "file", …FILE}` as each file is done, at
the end `{"schema", "type": "summary", …}`. The fields are in `report.schema.json`. Offsets count
characters of the file before the span's `step` (0: before all edits), a byte order mark not among
them. The formatter's changes are a last step.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from editor_clients.command_line import diff, files, git, sarif
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.outcomes import FileOutcome, SpanOutcome, Tally
from editor_clients.command_line.screen import Screen
from grammars.lines import LineIndex

JSON_SCHEMA = 2
SCHEMA_FILE = Path(__file__).with_name("report.schema.json")


class Report(Protocol):
    """Told of each file when its fate is known, and of the end, which may come early."""

    def file(self, outcome: FileOutcome) -> None:
        """Take a file."""
        ...

    def end(self, tally: Tally) -> None:
        """Take the numbers of the run."""
        ...


def report_for(form: str, screen: Screen, context: int) -> Report:
    """Return the report of a form: diff, json, stream or sarif."""
    match form:
        case "json":
            return _Json(screen, context)
        case "stream":
            return _Stream(screen, context)
        case "sarif":
            return _Sarif(screen)
        case _:
            return _Diffs(screen, context)


def changes_of(outcome: FileOutcome, context: int = 3, name: str = "") -> str:
    """Return a file's edits as a unified diff, under another name than the user's if there is."""
    file, bom = outcome.file, outcome.file.bom
    return diff.unified(name or file.name, bom + file.text, bom + outcome.text, context=context)


class _Diffs:
    def __init__(self, screen: Screen, context: int) -> None:
        self._screen, self._context = screen, context

    def file(self, outcome: FileOutcome) -> None:
        self._screen.show_diff(changes_of(outcome, self._context))

    def end(self, tally: Tally) -> None:
        pass


class _Json:
    def __init__(self, screen: Screen, context: int) -> None:
        self._screen, self._context = screen, context
        self._files: list[dict[str, Any]] = []

    def file(self, outcome: FileOutcome) -> None:
        self._files.append(_file_as_json(outcome, self._context))

    def end(self, tally: Tally) -> None:
        whole = {"schema": JSON_SCHEMA, "files": self._files, "summary": _summary(tally)}
        self._screen.out(json.dumps(whole) + "\n")


class _Stream:
    def __init__(self, screen: Screen, context: int) -> None:
        self._screen, self._context = screen, context

    def file(self, outcome: FileOutcome) -> None:
        self._say("file", _file_as_json(outcome, self._context))

    def end(self, tally: Tally) -> None:
        self._say("summary", _summary(tally))

    def _say(self, kind: str, values: dict[str, Any]) -> None:
        self._screen.out(json.dumps({"schema": JSON_SCHEMA, "type": kind} | values) + "\n")


class _Sarif:
    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._results: list[dict[str, Any]] = []

    def file(self, outcome: FileOutcome) -> None:
        self._results += sarif.results(outcome)

    def end(self, tally: Tally) -> None:
        self._screen.out(json.dumps(sarif.log(self._results)) + "\n")


class PatchFile:
    """A file of all the diffs, which `git apply` takes at the top of their repository.

    Below the top git applies those below, and leaves the others out. Files outside of any
    repository have the user's names, which count from the folder the patch was made in.
    """

    def __init__(self, name: str) -> None:
        self._path = files.output(name, b"--- ", b"diff --git ")
        self._pieces: list[str] = []

    def file(self, outcome: FileOutcome) -> None:
        """Take a file's diff; one that was refused is left out."""
        name = git.name_of(outcome.file.target.resolve())
        if not outcome.refusal and (changes := changes_of(outcome, name=name)):
            self._pieces += [diff.git_line(name) if name else "", changes]

    def end(self, tally: Tally) -> None:
        """Write the patch."""
        try:
            self._path.write_bytes("".join(self._pieces).encode())
        except OSError as error:
            raise Stop(Exit.REFUSED, f"{self._path}: {files.why(error)}") from error


def _file_as_json(outcome: FileOutcome, context: int) -> dict[str, Any]:
    steps = {span.step for span in outcome.spans}
    lines = {step: LineIndex(outcome.text_before(step)) for step in steps}
    return {
        "file": outcome.file.name.encode(errors="replace").decode(),
        "language": outcome.language,
        "changed": outcome.is_changed,
        "written": outcome.written,
        "refusal": outcome.refusal,
        "spans": [_span_as_json(span, lines[span.step]) for span in outcome.spans],
        "diff": changes_of(outcome, context),
    }


def _span_as_json(span: SpanOutcome, lines: LineIndex) -> dict[str, Any]:
    return {
        "start": span.place.span.start,
        "end": span.place.span.end,
        "line": lines.line_at(span.place.span.start) + 1,
        "what": span.place.what,
        "step": span.step,
        "status": str(span.status),
        "text": span.text,
        "reasons": list(span.reasons),
        "checked": span.checked,
        **asdict(span.stats),
    }


def _summary(tally: Tally) -> dict[str, Any]:
    numbers = asdict(tally)
    return numbers | numbers.pop("stats")
