"""`diffill config`: the settings in effect, and where each comes from; other commands heed them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from editor_clients.command_line.exits import Exit
from editor_clients.command_line.screen import Screen, table
from lsp_server.setting_sources import sources, user_file
from lsp_server.settings import SCHEMA, Effective, Origin, resolve

JSON_SCHEMA = 1


def run(screen: Screen, *, as_json: bool) -> Exit:
    """Print the settings that count in the folder this is called in.

    Exit code 1 if one that somebody made does not count.
    """
    effective = _effective()
    if as_json:
        screen.out(json.dumps(_values(effective), indent=2) + "\n")
    else:
        rows = [("SETTING", "VALUE", "FROM")]
        for name, (value, origin) in _shown(effective).items():
            rows.append((name, _text(value), origin))
        screen.out(table(list[tuple[str, ...]](rows)))
        for problem in effective.problems:
            screen.warn(problem)
        path = user_file()
        screen.say(f"the user's file: {path}{'' if path.exists() else ' (not there)'}")
    return Exit.REFUSED if effective.problems else Exit.DONE


def fill_in(args: argparse.Namespace, screen: Screen) -> None:
    """Give the options that were not named the values of the settings."""
    effective = _effective()
    settings = effective.settings
    for problem in effective.problems:
        screen.warn(problem)
    for option, value in {
        "model": settings.model,
        "effort": settings.effort,
        "timeout": settings.deadline_seconds,
    }.items():
        if getattr(args, option, "") is None:
            setattr(args, option, value)
    args.max_bytes = settings.max_file_kb << 10


def _effective() -> Effective:
    try:
        here = Path.cwd()
    except FileNotFoundError:  # it was removed under our feet
        here = None
    return resolve(sources(here))


def _shown(effective: Effective) -> dict[str, tuple[object, str]]:
    shown: dict[str, tuple[object, str]] = {}
    for name in SCHEMA:
        value: object = getattr(effective.settings, name)
        source = effective.sources[name]
        variable = f"DIFFILL_{name.upper()}"
        shown[name] = (
            sorted(value) if isinstance(value, frozenset) else value,
            variable if source.origin is Origin.ENVIRONMENT else source.name,
        )
    return shown


def _values(effective: Effective) -> dict[str, object]:
    return {
        "schema": JSON_SCHEMA,
        "settings": {
            name: {"value": value, "origin": effective.sources[name].origin, "from": source}
            for name, (value, source) in _shown(effective).items()
        },
        "user_file": str(user_file()),
        "problems": effective.problems,
    }


def _text(value: object) -> str:
    match value:
        case None | []:
            return "-"
        case str():
            return value
        case [*parts]:
            return ", ".join(map(str, parts))
        case _:
            return json.dumps(value)
