"""`diffill model`: what models there are, and getting and removing their files."""

from __future__ import annotations

import shutil

from editor_clients.command_line.engines import ensure_model
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.screen import Screen, table
from engine import catalogue
from engine.catalogue import ModelEntry
from engine.folders import cache_dir
from engine.hub import fetched, folder_of, hub_id


def show_list(screen: Screen) -> Exit:
    """Print a table of the catalogue and of what was fetched from the hub."""
    rows = [("NAME", "SIZE", "LICENCE", "HERE")]
    for entry in catalogue.catalogue().models.values():
        here = "yes" if catalogue.find(entry.name) else "no"
        rows.append((entry.name, f"{entry.size / 1e6:.0f} MB", entry.licence, here))
    for folder in fetched(cache_dir()):
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        name = f"{folder.parent.name}/{folder.name}"
        rows.append((name, f"{size / 1e6:.0f} MB", "see its card", "yes"))
    screen.out(table(list[tuple[str, ...]](rows)))
    return Exit.DONE


def pull(name: str | None, screen: Screen) -> Exit:
    """Fetch a model unless it is here, and say where it is."""
    path = ensure_model(name if name and hub_id(name) else _entry(name).name, screen)
    screen.out(f"{path}\n")
    return Exit.DONE


def show_path(name: str | None, screen: Screen) -> Exit:
    """Print where a model's file is."""
    screen.out(f"{catalogue.resolve_local(name).path}\n")
    return Exit.DONE


def remove(name: str | None, screen: Screen) -> Exit:
    """Delete a fetched model, and what is left of fetching it. Never touches a user's own file."""
    from engine.fetch import staging_dir
    from engine.hub_fetch import staging_of

    if name and (found := hub_id(name)):
        path, staging = folder_of(found, cache_dir()), staging_of(found)
    else:
        entry = _entry(name)
        name, path, staging = entry.name, catalogue.cached_path(entry), staging_dir(entry)
    was_here = path is not None and path.exists()
    try:
        if path and path.is_dir():
            shutil.rmtree(path)
        elif path:
            path.unlink(missing_ok=True)
        shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise Stop(Exit.REFUSED, f"{path}: {error.strerror}") from error
    screen.say(f"removed {path}" if was_here else f"{name} was not here")
    return Exit.DONE


def _entry(name: str | None) -> ModelEntry:
    known = catalogue.catalogue()
    if name is None:
        return known.default
    if name not in known.models:
        names = ", ".join(known.models)
        raise Stop(Exit.USAGE, f"no model {name!r} in the catalogue; there are: {names}")
    return known.models[name]
