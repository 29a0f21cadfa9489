"""`diffill model`: what models there are, and getting and removing their files."""

from __future__ import annotations

import shutil

from editor_clients.command_line.engines import ensure_model
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.screen import Screen, table
from engine import catalogue
from engine.catalogue import ModelEntry


def show_list(screen: Screen) -> Exit:
    """Print a table of the catalogue."""
    rows = [("NAME", "SIZE", "LICENCE", "HERE")]
    for entry in catalogue.catalogue().models.values():
        here = "yes" if catalogue.find(entry.name) else "no"
        rows.append((entry.name, f"{entry.size / 1e6:.0f} MB", entry.licence, here))
    screen.out(table(list[tuple[str, ...]](rows)))
    return Exit.DONE


def pull(name: str | None, screen: Screen) -> Exit:
    """Fetch a model unless it is here, and say where it is."""
    path = ensure_model(_entry(name).name, screen)
    screen.out(f"{path}\n")
    return Exit.DONE


def show_path(name: str | None, screen: Screen) -> Exit:
    """Print where a model's file is."""
    screen.out(f"{catalogue.resolve_local(name).path}\n")
    return Exit.DONE


def remove(name: str | None, screen: Screen) -> Exit:
    """Delete a fetched model, and what is left of fetching it. Never touches a user's own file."""
    from engine.fetch import staging_dir

    entry = _entry(name)
    path = catalogue.cached_path(entry)
    was_here = path.exists()
    try:
        path.unlink(missing_ok=True)
        shutil.rmtree(staging_dir(entry), ignore_errors=True)
    except OSError as error:
        raise Stop(Exit.REFUSED, f"{path}: {error.strerror}") from error
    screen.say(f"removed {path}" if was_here else f"{entry.name} was not here")
    return Exit.DONE


def _entry(name: str | None) -> ModelEntry:
    known = catalogue.catalogue()
    if name is None:
        return known.default
    if name not in known.models:
        names = ", ".join(known.models)
        raise Stop(Exit.USAGE, f"no model {name!r} in the catalogue; there are: {names}")
    return known.models[name]
