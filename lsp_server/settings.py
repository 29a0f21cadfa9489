"""What a user may set, and which of several sources decides; `settings.schema.json` is the list."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from engine.protocol import Effort

SCHEMA: Mapping[str, Mapping[str, Any]] = json.loads(
    Path(__file__).with_name("settings.schema.json").read_text("utf-8")
)["properties"]

# These wait for a pause in the typing themselves (Neovim 200 ms, VS Code by its own measure); a
# second wait behind theirs would only be lost.
_WAITING_CLIENTS = (
    "neovim",
    "visual studio code",
    "vscodium",
    "cursor",
    "code-server",
    "code - oss",
)
DEBOUNCE_MS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one session or command; the schema says what each one means."""

    model: str | None  # None leaves the choice to the engine
    effort: Effort
    deadline_seconds: float | None
    debounce_ms: int | None  # None: as the client needs
    inline_completion: bool
    code_lens: bool
    disabled_languages: frozenset[str]
    max_file_kb: int
    context: bool
    confirm_edits: bool
    metrics: bool


class Origin(StrEnum):
    """The kinds of sources, the weakest first."""

    DEFAULT = "default"
    USER = "user"
    PROJECT = "project"
    ENVIRONMENT = "environment"
    OPTION = "option"
    EDITOR = "editor"


@dataclass(frozen=True, slots=True)
class Source:
    """What one source says; `problem` is why it could not be read."""

    origin: Origin
    name: str  # where it is, in the middle of a sentence
    values: Mapping[str, object] = field(default_factory=dict[str, object])
    problem: str | None = None

    @classmethod
    def of(cls, origin: Origin, name: str, values: object) -> Source:
        """Return a source of values that should be a table."""
        if values is None:
            return cls(origin, name)
        if not isinstance(values, dict):
            return cls(origin, name, problem=f"{name}: not a table of settings: it is not used")
        return cls(origin, name, cast(dict[str, object], values))


@dataclass(frozen=True, slots=True)
class Effective:
    """The settings that count, the source of each, and a sentence for each that does not."""

    settings: Settings
    sources: Mapping[str, Source]
    problems: tuple[str, ...]


_DEFAULT = Source(Origin.DEFAULT, "default")


def resolve(sources: Iterable[Source]) -> Effective:
    """Let each source overwrite those before it; a bad value leaves what is there.

    A null says nothing: some clients send one for what their user has not set.
    """
    values = {name: about["default"] for name, about in SCHEMA.items()}
    decided, problems = dict.fromkeys(values, _DEFAULT), list[str]()
    for source in sources:
        if source.problem:
            problems.append(source.problem)
        for name, value in source.values.items():
            if value is None:
                continue
            if complaint := _complaint(source, name, value):
                problems.append(complaint)
            else:
                values[name], decided[name] = value, source
    return Effective(_settings(values), decided, tuple(problems))


def _settings(values: Mapping[str, Any]) -> Settings:
    typed: dict[str, Any] = {
        "effort": Effort(values["effort"]),
        "disabled_languages": frozenset(values["disabled_languages"]),
    }
    return Settings(**{**values, **typed})


def _complaint(source: Source, name: str, value: object) -> str | None:
    about = SCHEMA.get(name)
    if about is None:
        return f"{source.name}: Diffill has no setting `{name}`"
    reason = None
    if not _fits(about, value):
        reason = f"not {_expected(about)}"
    elif source.origin is Origin.PROJECT:
        reason = _refused_to_projects(name, value)
    return reason and f"{source.name}: `{name}` is {reprlib.repr(value)}, {reason}: it is not used"


def _fits(about: Mapping[str, Any], value: Any) -> bool:
    """Tell whether a value is as the schema wants it."""
    if "enum" in about:
        return value in about["enum"]
    kinds = _kinds(about)
    match value:
        case bool():  # before int, which it is to Python
            fits = "boolean" in kinds
        case int():
            fits = "integer" in kinds or "number" in kinds
        case float():
            fits = "number" in kinds
        case str():
            fits = "string" in kinds and bool(value.strip())
        case list():
            fits = "array" in kinds and all(isinstance(item, str) for item in value)
        case _:
            fits = False
    return fits and about.get("minimum", value) <= value <= about.get("maximum", value)


def _expected(about: Mapping[str, Any]) -> str:
    if "enum" in about:
        return f"one of {', '.join(about['enum'])}"
    bounds = f"from {about.get('minimum')} to {about.get('maximum')}"
    return {
        "boolean": "true or false",
        "integer": f"a whole number {bounds}",
        "number": f"a number {bounds}",
        "string": "a name",
        "array": "a list of names",
    }[_kinds(about)[0]]


def _kinds(about: Mapping[str, Any]) -> list[str]:
    kinds = about["type"]
    return [kinds] if isinstance(kinds, str) else kinds


def _refused_to_projects(name: str, value: object) -> str | None:
    """Say why a project may not set this: its files may come from a stranger.

    A model of the catalogue has a known hash; a file could write anything into the user's code.
    What the user has chosen for safety or privacy, a project may make stricter, not laxer.
    """
    match name, value:
        case "model", str(model) if not _in_catalogue(model):
            return "not a model of `diffill model list`, and a project may name no other"
        case "confirm_edits", False:
            return "and a project may only turn it on"
        case "metrics" | "context", True:
            return "and a project may only turn it off"
        case _:
            return None


def _in_catalogue(model: str) -> bool:
    from engine.catalogue import catalogue  # late: it knows all families, few projects name one

    return model in catalogue().models


def debounce_of(settings: Settings, client: str) -> int:
    """Return how long to wait, in ms: as set, else nothing for clients that wait themselves."""
    if settings.debounce_ms is not None:
        return settings.debounce_ms
    return 0 if client.lower().startswith(_WAITING_CLIENTS) else DEBOUNCE_MS
