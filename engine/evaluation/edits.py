"""Edit tasks: a file, a place in it, an instruction, the edit a person would make, and a test.

They are TOML, so that they can be read: a file a category, a table `[[dev]]` or `[[held]]` a task,
for those an engine is tuned on and those it is not. Fields, all of them text:

    id, instruction, before    `before` is the whole file
    symbol or lines            what is rewritten: a definition's name, or lines "2-5"; else all
    after                      the new text of that place
    test                       Python that fails unless the edit was made
    language                   LSP language id; "python" if left out

A Python task's test follows the edited file in one program. In every language it finds the file's
text in SOURCE, and the names below.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from engine.errors import ConfigError
from engine.evaluation.modes import HALVES
from grammars.languages import language
from grammars.lines import LineIndex
from grammars.span import Replacement, Span, apply
from grammars.symbols import find_symbol

_FIELDS = ("id", "instruction", "before", "after", "test")
_OPTIONAL = ("symbol", "lines", "language")
_NAMES = """
import ast, re
CODE = " ".join(SOURCE.split())  # white space does not matter
def nodes(*kinds):
    return [node for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, kinds)]
def raises(error, function, *args, **options):
    try:
        function(*args, **options)
    except error as caught:
        return str(caught) or repr(caught)
    return ""
"""


@dataclass(frozen=True, slots=True)
class EditTask:
    """An edit to make in `span` of a text; `set` is its category, `half` one of `HALVES`."""

    set: str
    half: str
    id: str
    language: str
    text: str
    span: Span
    instruction: str
    expected: str
    test: str

    @property
    def task(self) -> str:
        """What intervals resample: the task itself."""
        return self.id

    @property
    def digest(self) -> str:
        """A hash of all that a rewrite and its scores may depend on."""
        span = f"{self.span.start}-{self.span.end}"
        parts = (self.text, span, self.language, self.instruction, self.expected, self.test)
        return hashlib.sha256("\0".join((*parts, self.half)).encode()).hexdigest()[:16]

    def edited(self, new: str) -> str:
        """Return the file with `new` in the span."""
        return apply(self.text, [Replacement(self.span, new)])

    def program(self, new: str) -> str:
        """Return the program that comes to its end if `new` is what was asked for."""
        edited = self.edited(new)
        code = edited if self.language == "python" else ""
        return f"{code}\nSOURCE = {edited!r}\n{_NAMES}\n{self.test}"


def read_tasks(paths: Sequence[Path]) -> list[EditTask]:
    """Read files of edit tasks, and all files `*.toml` of folders.

    Raises:
        ConfigError: naming the file, the task and what is wrong with it.
    """
    tasks: list[EditTask] = []
    for path in paths:
        files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
        found = [task for file in files for task in _tasks(file)]
        if not found:
            raise ConfigError(f"{path} holds no edit task")
        tasks += found
    if len({task.id for task in tasks}) < len(tasks):
        raise ConfigError("two edit tasks have the same id")
    return tasks


def _tasks(path: Path) -> Iterator[EditTask]:
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path} cannot be read: {reason}") from error
    for half, rows in data.items():
        if half not in HALVES or not isinstance(rows, list):
            raise ConfigError(f"{path}: {half} is none of the tables [[dev]] and [[held]]")
        for number, row in enumerate(cast(list[Any], rows), 1):
            if not isinstance(row, dict):
                raise ConfigError(f"{path}: {half} {number} is not a table")
            yield _task(path.stem, half, cast(Mapping[str, Any], row), f"{path}: {half} {number}")


def _task(category: str, half: str, row: Mapping[str, Any], where: str) -> EditTask:
    for field in (*_FIELDS, *row):
        if field not in row:
            raise ConfigError(f"{where}: there is no {field}")
        if field not in _FIELDS + _OPTIONAL:
            raise ConfigError(f"{where}: {field} is no field of a task")
        if not isinstance(row[field], str):
            raise ConfigError(f"{where}: {field} is {row[field]!r:.60}, not a text")
    language_id: str = row.get("language", "python")
    if language(language_id) is None:
        raise ConfigError(f"{where}: no grammar for the language {language_id!r}")
    text: str = row["before"]
    return EditTask(
        set=category,
        half=half,
        id=row["id"],
        language=language_id,
        text=text,
        span=_span(text, language_id, row, where),
        instruction=row["instruction"],
        expected=row["after"].removesuffix("\n"),
        test=row["test"],
    )


def _span(text: str, language_id: str, row: Mapping[str, Any], where: str) -> Span:
    """Return the place to rewrite, without its last line end, as `diffill rewrite` takes it."""
    index = LineIndex(text)
    if symbol := row.get("symbol"):
        found = find_symbol(text, language_id, symbol)
        if len(found) != 1:
            raise ConfigError(f"{where}: {len(found)} definitions are called {symbol!r}")
        return Span(found[0].start, found[0].start + len(found[0].of(text).rstrip("\n")))
    if lines := row.get("lines"):
        first, _, last = lines.partition("-")
        if not (first.isdigit() and last.isdigit() and 0 < int(first) <= int(last) < len(index)):
            raise ConfigError(f"{where}: lines {lines!r} are not within 1-{len(index) - 1}")
        return Span(index.starts[int(first) - 1], index.content(int(last) - 1).end)
    return Span(0, len(text.rstrip("\n")))
