"""What a user may set, sent by the client as `initializationOptions`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from engine.protocol import Effort


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one session, never changed after `initialize`."""

    model: str | None = None  # None leaves the choice to the engine
    effort: Effort = Effort.BALANCED


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
            case _:
                problems.append(f"Diffill has no setting `{key}`")
    return settings, problems
