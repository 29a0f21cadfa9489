"""`diffill undo`: put back the bytes that the last run replaced."""

from __future__ import annotations

from editor_clients.command_line import files, journal, recovery
from editor_clients.command_line.exits import Exit, Stop
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
    recovered = {run.name for run in recovery.recover(screen)}
    chosen = _chosen(name, recovered)
    with chosen.held() as is_ours:
        if not is_ours:
            raise Stop(Exit.REFUSED, f"{chosen.name} still goes on: end it first")
        changed = _changed(chosen, screen)
        chosen.revoke()  # killed from here on, the next command goes on
        refused = recovery.put_back(chosen, changed)
        for refusal in refused.values():
            screen.warn(refusal)
        if refused:
            raise Stop(Exit.REFUSED, f"{chosen.name}: not all of it could be undone; try again")
        chosen.mark_undone()
        chosen.settle()
    screen.say(f"{chosen.name}: {counted(len(changed), 'file')} restored")
    return Exit.DONE


def _changed(run: Journal, screen: Screen) -> list[Entry]:
    """Return what is to be put back, once all of it can be."""
    changed: list[Entry] = []
    refused = False
    for entry in run.entries():
        try:
            if file := recovery.changed_file(entry):
                files.check_writable(file)
                run.old_bytes(entry)
                changed.append(entry)
        except Stop as refusal:
            refused = True
            screen.warn(str(refusal))
    if refused:
        raise Stop(Exit.REFUSED, "nothing was undone")
    return changed


def _chosen(name: str | None, recovered: set[str]) -> Journal:
    for run in journal.runs():
        if name is None:
            # What was taken back just now is the last run: the one before it is not meant.
            if run.name in recovered or (not run.is_undone and run.entries()):
                return run
        elif run.name == name:
            return run
    raise Stop(
        Exit.USAGE,
        "there is nothing to undo"
        if name is None
        else f"no run {name!r}; see `diffill undo --list`",
    )
