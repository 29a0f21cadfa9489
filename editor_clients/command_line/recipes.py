"""`diffill run recipe.toml`: several edits as one, kept in a file.

    paths = ["src"]                 # where, unless the command line says it

    [[step]]                        # at least one; each sees what the ones before it made
    name = "log instead of print"   # for people
    query = '((call function: (identifier) @_f) @it (#eq? @_f "print"))'
    instruction = "Log it instead." # a rewrite; without it the places are filled

    [[step]]
    symbols = ["Cart.total"]
    instruction = "Add type hints."

    [checks]                        # of a file that all steps are done with; they need --write
    check-cmd = "python -m pytest -q tests"
    lint-cmd = ["ruff check --output-format json {file}"]
    format-cmd = "ruff format --stdin-filename {file} -"

A step says its places by `query`, `symbols` or `holes = true`, or `repair = true`; they add up. It
may set `instruction`, `single-line`, `max-tokens`, `candidates`, `effort`, `seed` and `timeout`,
which else are those of the command line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from editor_clients.command_line import files
from editor_clients.command_line.checks import split
from editor_clients.command_line.exits import Exit, Stop
from engine.errors import ConfigError
from engine.protocol import EditRequest, Effort
from grammars.search import QueryError, languages_of
from grammars.span import Span

MAX_STEPS = 32
_TEXT, _TEXTS = (str,), (list,)
_TOP = {"paths": _TEXTS, "step": _TEXTS, "checks": (dict,)}
_STEP = {
    "name": _TEXT,
    "query": _TEXT,
    "symbols": _TEXTS,
    "holes": (bool,),
    "repair": (bool,),
    "instruction": _TEXT,
    "single-line": (bool,),
    "max-tokens": (int,),
    "candidates": (int,),
    "effort": _TEXT,
    "seed": (int,),
    "timeout": (int, float),
}
_CHECKS = {
    "check-cmd": _TEXT,
    "lint-cmd": (str, list),
    "format-cmd": _TEXT,
    "check-timeout": (int, float),
}
_KINDS = {str: "a text", list: "a list of texts", dict: "a table", bool: "true or false"}
# What the engine bounds, by its own names.
_BOUNDED = {
    "instruction": "instruction",
    "max-tokens": "max_tokens",
    "candidates": "candidates",
    "seed": "seed",
    "timeout": "deadline_s",
}
_PLACES = ("query", "symbols", "holes", "repair")
_BRACKETS = "a step is written as [[step]], with two brackets"
_ONE_BRACKET = re.compile(r"^\s*\[\s*step\s*\]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a recipe says, checked: keys are the options' names, values have their types."""

    paths: tuple[str, ...]
    steps: tuple[Mapping[str, Any], ...]
    checks: Mapping[str, Any]


def read(name: str) -> Recipe:
    """Read a recipe.

    Raises:
        Stop: if it cannot be read or is none; the message names the line and the key.
    """
    try:
        text = Path(name).read_bytes().decode()
    except (OSError, ValueError) as error:
        raise Stop(Exit.USAGE, f"{name}: {files.why(error)}") from error
    try:
        return _Reader(name, text).recipe()
    except tomllib.TOMLDecodeError as error:
        hint = f"; {_BRACKETS}" if _ONE_BRACKET.search(text) else ""
        raise Stop(Exit.USAGE, f"{name}: not TOML: {error}{hint}") from error


class _Reader:
    def __init__(self, name: str, text: str) -> None:
        self._name, self._lines = name, text.splitlines(keepends=True)
        self._data = tomllib.loads(text)

    def recipe(self) -> Recipe:
        if not isinstance(self._data.get("step", []), list):
            raise self._wrong(("step",), _BRACKETS)
        self._check(self._data, _TOP, ())
        steps = cast("list[Any]", self._data.get("step", []))
        if not steps:
            raise Stop(Exit.USAGE, f"{self._name}: no [[step]]: a recipe has at least one")
        if len(steps) > MAX_STEPS:
            raise Stop(Exit.USAGE, f"{self._name}: {len(steps)} steps, more than {MAX_STEPS}")
        for number, step in enumerate(steps):
            self._check_step(step, ("step", number))
        checks = self._data.get("checks", {})
        self._check(checks, _CHECKS, ("checks",))
        self._check_checks(checks)
        return Recipe(tuple(self._data.get("paths", ())), tuple(steps), checks)

    def _check_step(self, step: Any, at: tuple[str | int, ...]) -> None:
        if not isinstance(step, dict):
            raise self._wrong(at, _BRACKETS)
        self._check(cast("dict[str, Any]", step), _STEP, at)
        if not any(step.get(key) for key in _PLACES):
            raise self._wrong(at, f"no places: say {', '.join(_PLACES[:-1])} or {_PLACES[-1]}")
        if query := step.get("query"):
            try:
                languages_of(query)
            except QueryError as error:
                raise self._wrong((*at, "query"), f"query: {error}") from error
        if step.get("repair") and "instruction" in step:
            raise self._wrong((*at, "instruction"), "a repair takes no instruction")
        if "effort" in step and step["effort"] not in list(Effort):
            raise self._wrong((*at, "effort"), f"effort is one of {', '.join(Effort)}")
        for key, field in _BOUNDED.items():
            if key in step:
                try:
                    EditRequest(text="x", spans=(Span(0, 1),), **{field: step[key]})
                except ConfigError as error:
                    told = str(error).replace(f"{field} is", f"{key} is")
                    raise self._wrong((*at, key), told) from error

    def _check_checks(self, checks: Mapping[str, Any]) -> None:
        for key, value in checks.items():
            at = ("checks", key)
            if key == "check-timeout":
                if not 0 < value < float("inf"):
                    raise self._wrong(at, f"{key} is {value}, not a number of seconds")
                continue
            try:
                for command in [value] if isinstance(value, str) else value:
                    split(command)
            except ValueError as error:
                raise self._wrong(at, f"{key}: {error}") from error

    def _check(
        self,
        table: Mapping[str, Any],
        known: Mapping[str, tuple[type, ...]],
        at: tuple[str | int, ...],
    ) -> None:
        for key, value in table.items():
            if key not in known:
                raise self._wrong((*at, key), f"unknown key {key!r}; known: {', '.join(known)}")
            if not _is_of(value, known[key]) or (isinstance(value, list) and not _fits(key, value)):
                kinds = " or ".join(_KINDS.get(kind, "a number") for kind in known[key][-1:])
                raise self._wrong((*at, key), f"{key} is {value!r}, not {kinds}")
            if isinstance(value, str | list) and not value:
                raise self._wrong((*at, key), f"{key} is empty")

    def _wrong(self, at: tuple[str | int, ...], message: str) -> Stop:
        match at:
            case ("step", int(number), *_):
                message = f"step {number + 1}: {message}"
            case _:
                pass
        return Stop(Exit.USAGE, f"{self._name}:{self._line_of(at)}: {message}")

    def _line_of(self, at: tuple[str | int, ...]) -> int:
        """Return the line on which a value starts: the text up to there, read alone, lacks it."""
        start = 0
        for end in range(len(self._lines) + 1):
            try:
                data: Any = tomllib.loads("".join(self._lines[:end]))
            except tomllib.TOMLDecodeError:
                continue
            if _holds(data, at):
                break
            start = end
        return start + 1


def _is_of(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)


def _fits(key: str, values: list[Any]) -> bool:
    return key == "step" or all(isinstance(value, str) and value for value in values)


def _holds(data: Any, at: tuple[str | int, ...]) -> bool:
    for part in at:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
