"""`diffill undo`: put back the bytes that the last run replaced."""

from __future__ import annotations

import contextlib
from pathlib import Path

from editor_clients.command_line import files, journal
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.files import UserFile
from editor_clients.command_line.journal import Entry, Journal
from editor_clients.command_line.screen import Screen, counted, table


def show_runs(screen: Screen) -> Exit:
    """Print a table of the runs that wrote files."""
    rows: list[tuple[str, ...]] = [("RUN", "FILES", "")]
    for run in journal.runs():
        if entries := run.entries():
            rows.append((run.name, str(len(entries)), "undone" if run.is_undone else ""))
    screen.out(table(rows))
    return Exit.DONE


def run(name: str | None, screen: Screen) -> Exit:
    """Take back a run, by default the last one not yet taken back: all of its files or none.

    Raises:
        Stop: if there is no such run, or a file was changed since.
    """
    chosen = _chosen(name)
    pending: list[tuple[Entry, UserFile]] = []
    refusals: list[str] = []
    for entry in reversed(chosen.entries()):
        for leftover in files.leftovers(Path(entry.path), chosen.name):
            with contextlib.suppress(OSError):
                leftover.unlink()
        try:
            file = _current(entry)
        except Stop as refusal:
            refusals.append(str(refusal))
            continue
        today = journal.digest(file.raw)
        if today == entry.after != entry.before:
            pending.append((entry, file))
        elif today != entry.before:
            refusals.append(f"{entry.path}: changed since")
    if refusals:
        for refusal in refusals:
            screen.warn(refusal)
        raise Stop(Exit.REFUSED, "nothing was undone")
    old_bytes = [chosen.old_bytes(entry) for entry, _ in pending]  # before the first is written
    for (_, file), raw in zip(pending, old_bytes, strict=True):
        files.write(file, raw, chosen.name)
    chosen.mark_undone()
    screen.say(f"{chosen.name}: {counted(len(pending), 'file')} restored")
    return Exit.DONE


def _chosen(name: str | None) -> Journal:
    for candidate in journal.runs():
        if name is None and not candidate.is_undone and candidate.entries():
            return candidate
        if candidate.name == name:
            return candidate
    raise Stop(
        Exit.USAGE,
        "there is nothing to undo"
        if name is None
        else f"no run {name!r}; see `diffill undo --list`",
    )


def _current(entry: Entry) -> UserFile:
    """Return the file as it is now; it need not be text any more."""
    path = Path(entry.path)
    try:
        return UserFile(entry.path, path, path.read_bytes(), "")
    except OSError as error:
        raise Stop(Exit.REFUSED, f"{entry.path}: {files.why(error)}") from error
