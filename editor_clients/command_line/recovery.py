"""Take back changes: those a crash left without a commit, and those of a run that is undone."""

from __future__ import annotations

import contextlib
from pathlib import Path

from editor_clients.command_line import files, journal
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.files import UserFile
from editor_clients.command_line.journal import Entry, Journal
from editor_clients.command_line.screen import Screen, counted


def recover(screen: Screen) -> list[Journal]:
    """Take back what interrupted runs left half done; returns those runs.

    A file that cannot be put back, or was changed since, stays as it is and is named.
    """
    return [run for run in journal.runs() if run.is_open and _recovered(run, screen)]


def _recovered(run: Journal, screen: Screen) -> bool:
    with run.held() as is_ours:
        if not is_ours or not run.is_open:
            return False
        pending = run.pending()
        refusals = roll_back(run)
        if refusals:  # told once; `diffill undo --run` may try again
            run.commit()
        elif not run.entries():
            run.mark_undone()
        run.settle()
    restored = counted(len(pending) - len(refusals), "file")
    screen.say(f"{run.name} was interrupted: {restored} taken back, as not all of it was done")
    for refusal in refusals.values():
        screen.warn(refusal)
    return True


def roll_back(run: Journal) -> dict[str, str]:
    """Put back every file whose change is not committed; returns by path why one could not be.

    What is put back is no part of the run any more.
    """
    pending = run.pending()
    refusals = put_back(run, pending)
    for entry in pending:
        if entry.path not in refusals:
            run.drop(entry)
    return refusals


def put_back(run: Journal, entries: list[Entry]) -> dict[str, str]:
    """Put back the old bytes of files, the last first; returns by path why one could not be."""
    refusals: dict[str, str] = {}
    for entry in reversed(entries):
        for leftover in files.leftovers(Path(entry.path), run.name):
            with contextlib.suppress(OSError):
                leftover.unlink()
        try:
            if file := changed_file(entry):
                files.write(file, run.old_bytes(entry), run.name)
        except Stop as refusal:
            refusals[entry.path] = str(refusal)
    return refusals


def changed_file(entry: Entry) -> UserFile | None:
    """Return the file with the bytes the run gave it; None if it has its old ones.

    Raises:
        Stop: if it has others, or cannot be read.
    """
    path = Path(entry.path)
    try:
        file = UserFile(entry.path, path, path.read_bytes(), "")  # it need not be text any more
    except OSError as error:
        raise Stop(Exit.REFUSED, f"{entry.path}: {files.why(error)}") from error
    today = journal.digest(file.raw)
    if today == entry.before:
        return None
    if today != entry.after:
        raise Stop(Exit.REFUSED, f"{entry.path}: changed since")
    return file
