"""`diffill undo`: put back the bytes that the last run replaced in this project."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from editor_clients.command_line import files, git, journal, recovery
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.journal import Entry, Journal
from editor_clients.command_line.screen import Screen, counted, table

_NUM_SHOWN = 3


def show_runs(screen: Screen) -> Exit:
    """Print a table of the runs that wrote files, of all projects."""
    rows: list[tuple[str, ...]] = [("RUN", "FILES", "STATE", "NAMES")]
    for run in journal.runs():
        if entries := run.entries():
            state = "undone" if run.is_undone else ""
            rows.append((run.name, f"{len(entries):,}", state, _shown(e.path for e in entries)))
    screen.out(table(rows))
    return Exit.DONE


def run(name: str | None, screen: Screen) -> Exit:
    """Take back a run, all of its files or none.

    By default it is the last one of this project that was not taken back.

    Raises:
        Stop: if there is no such run, or a file was changed since.
    """
    recovered = {run.name for run in recovery.recover(screen)}
    chosen = _last(recovered) if name is None else _named(name)
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
    names = f": {_shown(entry.path for entry in changed)}" if changed else ""
    screen.say(f"{chosen.name}: {counted(len(changed), 'file')} restored{names}")
    return Exit.DONE


def call_for(run: Journal) -> str:
    """Return the command that takes back a run, the last one, when it is called from here."""
    is_ours = _is_below(_project(), [entry.path for entry in run.entries()])
    return "diffill undo" if is_ours else f"diffill undo --run {run.name}"


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


def _named(name: str) -> Journal:
    for run in journal.runs():
        if run.name == name:
            return run
    raise Stop(Exit.USAGE, f"no run {name!r}; see `diffill undo --list`")


def _last(recovered: set[str]) -> Journal:
    project, elsewhere = _project(), ""
    for run in journal.runs():
        # What was taken back just now is the last run: the one before it is not meant. Killed
        # before it got to any file, it may have been of this project.
        if run.name in recovered:
            paths = run.touched()
            is_ours = not paths or _is_below(project, paths)
        else:
            paths = [] if run.is_undone else [entry.path for entry in run.entries()]
            is_ours = _is_below(project, paths)
            if paths and not elsewhere:
                elsewhere = (
                    f" below {project}; the last run elsewhere changed {_shown(paths)}: "
                    f"`diffill undo --run {run.name}` takes it back"
                )
        if is_ours:
            return run
    raise Stop(Exit.USAGE, f"there is nothing to undo{elsewhere}")


def _project() -> Path:
    """Return the top folder of this folder's repository, or this folder."""
    return git.repository_here() or Path.cwd()


def _is_below(folder: Path, paths: Iterable[str]) -> bool:
    """Whether any of some absolute paths is below a folder."""
    return any(folder in Path(path).parents for path in paths)


def _shown(paths: Iterable[str]) -> str:
    """Return a few paths, the others counted; those below this folder are shown from it."""
    here, every = Path.cwd(), [Path(path) for path in paths]
    few = [path.relative_to(here) if here in path.parents else path for path in every[:_NUM_SHOWN]]
    more = len(every) - len(few)
    return ", ".join(map(str, few)) + (f" and {more:,} more" if more else "")
