"""A completion as other tools ask for it, whatever their dialect, and what the engine makes of it.

`Fields` reads their JSON strictly where Diffill uses it, and passes over what it does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import ConfigError
from engine.protocol import EditRequest, EditResult, Effort
from grammars.languages import language_of_path
from grammars.span import Span

MAX_TOKENS = 1024
MAX_STOPS = 64
_SEEDS = (1 << 62) - 1


class Fields:
    """The fields of a request; a wrong one is a ConfigError that names it."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; without a default it must be there."""
        value = self._data.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, list) and len(value) == 1:  # a batch of one
            value = value[0]
        if not isinstance(value, str):
            raise ConfigError(f"{name} is {_named(value)}, not a text")
        return value

    def whole(self, name: str) -> int | None:
        """Return a whole number, None if it is not there; a JavaScript 8 may come as 8.0."""
        value = self._data.get(name)
        if value is None:
            return None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value != int(value):
            raise ConfigError(f"{name} is {_named(value)}, not a whole number")
        return int(value)

    def number(self, name: str, default: int, bounds: tuple[int, int]) -> int:
        """Return a whole number within bounds."""
        value = self.whole(name)
        value = default if value is None else value
        if not bounds[0] <= value <= bounds[1]:
            raise ConfigError(f"{name} is {value}, not between {bounds[0]} and {bounds[1]}")
        return value

    def seed(self, *names: str) -> int:
        """Return the first seed that is named, within Diffill's bounds; -1 is any."""
        return max(0, next((n for n in map(self.whole, names) if n is not None), 0)) & _SEEDS

    def flag(self, name: str) -> bool:
        """Return whether something is asked for."""
        value = self._data.get(name) or False
        if not isinstance(value, bool):
            raise ConfigError(f"{name} is {_named(value)}, neither true nor false")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; a single one is a list of one."""
        value = self._data.get(name) or []
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise ConfigError(f"{name} is {_named(value)}, not a list of texts")
        if len(items) > MAX_STOPS:
            raise ConfigError(f"{name} has {len(items)} texts, more than {MAX_STOPS}")
        return tuple(item for item in items if item)

    def objects(self, name: str) -> list[Mapping[str, Any]]:
        """Return a list of objects."""
        value = self._data.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise ConfigError(f"{name} is {_named(value)}, not a list of objects")
        return value

    def max_tokens(self, *names: str) -> int | None:
        """Return the first limit that is named; none, or a negative one, leaves it to Diffill."""
        limit = next((n for n in map(self.whole, names) if n is not None), None)
        return None if limit is None or limit < 0 else min(limit, MAX_TOKENS)


def _named(value: object) -> str:
    return "missing" if value is None else f"a JSON {type(value).__name__}"


@dataclass(frozen=True, slots=True)
class Fill:
    """One text for the hole, and why it ends: "stop", "length", or "" if it was refused."""

    text: str
    end: str
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What is wanted between two texts."""

    prefix: str
    suffix: str
    path: str = ""
    language: str = ""  # LSP language id; "" is told by the path, if at all
    max_tokens: int | None = None  # 0: nothing is wanted but that the engine be ready
    single_line: bool = False
    count: int = 1
    seed: int = 0
    stops: tuple[str, ...] = ()
    stream: bool = False

    def request(self) -> EditRequest:
        """Return it as the engine's own request.

        Raises:
            ConfigError: if something is out of its bounds.
        """
        at = len(self.prefix)
        return EditRequest(
            text=self.prefix + self.suffix,
            spans=(Span(at, at),),
            language=self.language or language_of_path(self.path),
            path=self.path,
            effort=Effort.QUICK,
            single_line=self.single_line,
            max_tokens=self.max_tokens,
            candidates=self.count,
            seed=self.seed,
            explain=True,  # it tells how much was read
        )

    def fills(self, result: EditResult) -> list[Fill]:
        """Return what may be shown: texts the parser accepts, or one empty text and the reasons."""
        best = result.best
        if not best.verdict.ok:
            return [Fill("", "", best.verdict.reasons)]
        return [
            self._cut(c.replacements[0].text, result) for c in result.candidates if c.verdict.ok
        ]

    def num_read(self, result: EditResult) -> int:
        """Return how many tokens the model was given."""
        sights = result.explanation.sights if result.explanation else ()
        return sum(sight.tokens for sight in sights)

    def _cut(self, text: str, result: EditResult) -> Fill:
        found = [at for stop in self.stops if (at := text.find(stop)) >= 0]
        if found:
            return Fill(text[: min(found)], "stop")
        full = self.max_tokens is not None and result.stats.tokens >= self.max_tokens
        return Fill(text, "length" if full else "stop")
