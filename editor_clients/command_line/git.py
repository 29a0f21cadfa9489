"""What git knows: which files changed, and which hold changes that are not committed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from editor_clients.command_line.exits import Exit, Stop


def repository_of(path: Path) -> Path | None:
    """Return the top folder of the repository around an absolute path, None outside of any."""
    return next((folder for folder in path.parents if (folder / ".git").exists()), None)


def repository_here() -> Path | None:
    """Return the top folder of the repository around this folder, None outside of any."""
    return repository_of(Path.cwd() / "here")


def name_of(path: Path) -> str:
    """Return what git calls a file: its name from the top of the repository, "" outside of any.

    The path is absolute, links followed. A repository within that of this folder is a part of it.
    """
    here = repository_here()
    top = here if here and here in path.parents else repository_of(path)
    return path.relative_to(top).as_posix() if top else ""


def changed_files(since: str) -> list[Path]:
    """Return the files of this folder's repository that differ from a commit, new ones too.

    Raises:
        Stop: outside of a repository, or if there is no such commit.
    """
    top = repository_here()
    if top is None:
        raise Stop(Exit.USAGE, "--changed: not in a git repository")
    if since.startswith("-"):
        raise Stop(Exit.USAGE, f"--since {since}: not a commit")
    differing = _git(
        top, "diff", "--name-only", "--no-renames", "--diff-filter=ACMT", "-z", since, "--"
    )
    new = _git(top, "ls-files", "--others", "--exclude-standard", "-z")
    return sorted({top / os.fsdecode(name) for name in (differing + new).split(b"\0") if name})


def uncommitted(paths: Iterable[Path]) -> set[Path]:
    """Return which of some absolute paths hold changes git could not bring back.

    A file outside of any repository, or ignored by it, is not among them.

    Raises:
        Stop: if git cannot be asked.
    """
    wanted = set(paths)
    dirty: set[Path] = set()
    for top in {top for path in wanted if (top := repository_of(path))}:
        status = _git(top, "status", "--porcelain=v1", "-z", "--no-renames", "-uall")
        dirty |= {top / os.fsdecode(line[3:]) for line in status.split(b"\0") if line}
    return wanted & dirty


def _git(top: Path, *arguments: str) -> bytes:
    # A repository's own settings may name a program to run; this one need not.
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(top), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise Stop(Exit.REFUSED, f"git cannot be run: {error.strerror}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        why = said[0].removeprefix("fatal: ") if said else "failed"
        raise Stop(Exit.USAGE, f"git {arguments[0]}: {why}")
    return done.stdout
