"""From the names on the command line to the files they mean."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from editor_clients.command_line import files, git
from editor_clients.command_line.exits import Exit, Stop
from grammars.languages import language_of_path
from lsp_server.ignoring import ignore_list, is_refused, is_secret

# Never source, often large.
_SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the names come from."""

    paths: tuple[str, ...] = ()
    files_from: str | None = None  # a file of names, one a line; - is standard input
    changed_since: str | None = None  # a commit

    def __bool__(self) -> bool:
        return bool(self.paths) or self.files_from is not None or self.changed_since is not None


@dataclass(frozen=True, slots=True)
class Found:
    """The files meant, each once under its first name, in the order they were named."""

    named: tuple[str, ...]  # told by name: one that cannot be read is an error
    walked: tuple[str, ...]  # met in a folder or a list: one that cannot be read is passed over

    def __len__(self) -> int:
        return len(self.named) + len(self.walked)

    @property
    def names(self) -> list[str]:
        """All names, those told by name first."""
        return [*self.named, *self.walked]


def discover(
    sources: Sources,
    languages: frozenset[str] | None = None,
    on_file: Callable[[], None] = lambda: None,
) -> Found:
    """Return the files named; in folders, those of a known language that nothing ignores.

    `languages` narrows what folders yield; `on_file` is called for each file met in one.

    Raises:
        Stop: if a name means nothing, or a file that must not be read.
    """
    if "" in sources.paths:
        raise Stop(Exit.USAGE, "an empty PATH names no file")
    names: dict[str, str] = {}  # by real path
    told: set[str] = set()  # the real paths of those told by name
    paths, listed = list(sources.paths), set[str]()
    if sources.files_from is not None:
        more = _listed(sources.files_from)
        paths += more
        if not paths:
            raise Stop(Exit.USAGE, f"{sources.files_from}: names no files")
        if len(paths) > 1:  # one alone is as good as told
            listed = {name for name in more if os.path.isfile(name)}  # noqa: PTH113 - any name
    if sources.changed_since is not None:
        within = [Path(os.path.abspath(path)) for path in paths or ["."]]  # noqa: PTH100
        changed = git.changed_files(sources.changed_since)
        meant = (p for p in changed if any(p == w or w in p.parents for w in within))
        return Found((), tuple(_shown(path) for path in meant if _is_wanted(path, languages)))
    for path in paths:
        if os.path.isdir(path):  # noqa: PTH112 - also of a name that is too long for one
            for real, name in _walk(path, languages):
                names.setdefault(real, name)
                on_file()
        elif path in listed:
            if not _barred(path):
                names.setdefault(os.path.realpath(path), path)
        elif glob.has_magic(path) and not os.path.lexists(path):
            matches = sorted(_matching(path, languages))
            if not matches:
                raise Stop(Exit.USAGE, f"{path}: matches no file")
            for name in matches:
                names.setdefault(os.path.realpath(name), name)
        else:
            if why := _barred(path):
                raise Stop(Exit.USAGE, f"{path}: {why}, so it is not read")
            real = os.path.realpath(path)
            names.setdefault(real, path)
            told.add(real)
    return Found(
        tuple(name for real, name in names.items() if real in told),
        tuple(name for real, name in names.items() if real not in told),
    )


def _barred(path: str) -> str:
    """Return why a file may not be read, "" if it may."""
    try:
        real = Path(path).resolve()
    except (OSError, ValueError):
        return ""  # whoever reads it will say what is wrong
    if is_secret(Path(path)) or is_secret(real):
        return "may hold keys or passwords"
    return "listed in .diffillignore" if is_refused(real) else ""


def _listed(source: str) -> list[str]:
    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except (OSError, ValueError) as error:
        raise Stop(Exit.USAGE, f"{source}: {files.why(error)}") from error
    end = b"\0" if b"\0" in raw else b"\n"  # as `git ls-files -z` and `find -print0` write them
    names = (os.fsdecode(line.removesuffix(b"\r")) for line in raw.split(end))
    return [name for name in names if name]


def _walk(top: str, languages: frozenset[str] | None) -> Iterator[tuple[str, str]]:
    """Yield the real paths and names of the files below a folder, sorted.

    Neither links nor ignored folders are followed.
    """
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        real = Path(os.path.realpath(folder))
        ignored = ignore_list(real)
        below: list[str] = []
        for entry in inside:
            name = entry.path if top != "." else entry.path.removeprefix(f".{os.sep}")
            if entry.is_symlink():
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED_FOLDERS and not ignored.ignores(
                    real / entry.name, is_folder=True
                ):
                    below.append(name)
            elif _is_source(entry.name, languages) and not (
                is_secret(real / entry.name) or ignored.ignores(real / entry.name)
            ):
                yield str(real / entry.name), name
        folders += reversed(below)


def _matching(pattern: str, languages: frozenset[str] | None) -> Iterator[str]:
    for name in glob.iglob(pattern, recursive=True):  # noqa: PTH207 - names as the user wrote them
        path = Path(name)
        if path.is_file() and _is_wanted(Path(os.path.realpath(name)), languages):
            yield name


def _is_wanted(path: Path, languages: frozenset[str] | None) -> bool:
    """Tell whether a file that no one named by itself is for us; the path is absolute."""
    if not _is_source(path.name, languages) or is_secret(path) or path.is_symlink():
        return False
    folders = [folder for folder in path.parents if folder != folder.parent]
    return path.is_file() and not any(
        ignore_list(part.parent).ignores(part, is_folder=part != path) for part in (path, *folders)
    )


def _is_source(name: str, languages: frozenset[str] | None) -> bool:
    known = language_of_path(name)
    return bool(known) and (languages is None or known in languages)


def _shown(path: Path) -> str:
    return os.path.relpath(path)
