"""What a user may set, sent by the client as `initializationOptions`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from engine.protocol import Effort

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
MAX_DEBOUNCE_MS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one session, never changed after `initialize`."""

    model: str | None = None  # None leaves the choice to the engine
    effort: Effort = Effort.BALANCED
    # The longest wait before an inline completion is made unasked; None: as the client needs.
    debounce_ms: int | None = None


def read_settings(options: object, defaults: Settings) -> tuple[Settings, list[str]]:
    """Return the settings and one message for the user per problem.

    A bad value keeps its default; it never keeps the server from working.
    """
    if options is None:
        return defaults, []
    if not isinstance(options, dict):
        return defaults, ["the Diffill settings are not an object: all defaults are used"]
    settings, problems = defaults, list[str]()
    for key, value in cast(dict[str, Any], options).items():
        match key:
            case "model":
                if value is None or (isinstance(value, str) and value.strip()):
                    settings = replace(settings, model=value or defaults.model)
                else:
                    problems.append(
                        f"Diffill setting `model` is {value!r}, not a model's name: "
                        "the default is used"
                    )
            case "effort":
                if value in list(Effort):
                    settings = replace(settings, effort=Effort(value))
                else:
                    problems.append(
                        f"Diffill setting `effort` is {value!r}, not one of {', '.join(Effort)}: "
                        f"{defaults.effort} is used"
                    )
            case "debounce_ms":
                # A bool is an int to Python, and no time to anyone.
                if value is None or (type(value) is int and 0 <= value <= MAX_DEBOUNCE_MS):
                    settings = replace(settings, debounce_ms=value)
                else:
                    problems.append(
                        f"Diffill setting `debounce_ms` is {value!r}, not 0 to {MAX_DEBOUNCE_MS}: "
                        "the default is used"
                    )
            case _:
                problems.append(f"Diffill has no setting `{key}`")
    return settings, problems


def debounce_of(settings: Settings, client: str) -> int:
    """Return how long to wait, in ms: as set, else nothing for clients that wait themselves."""
    if settings.debounce_ms is not None:
        return settings.debounce_ms
    return 0 if client.lower().startswith(_WAITING_CLIENTS) else DEBOUNCE_MS
