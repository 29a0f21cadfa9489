"""Which files are left alone: what the ignore files list, and what looks like a secret."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

OUR_IGNORE_FILE = ".diffillignore"
GITIGNORE = ".gitignore"
IGNORE_FILES = (GITIGNORE, OUR_IGNORE_FILE)
_MAX_CHARS = 1 << 20

_SECRET = re.compile(
    r"""\.env | \.env\..* | .*\.env | \.netrc | _netrc | \.pypirc | \.npmrc | \.htpasswd
    | \.git-credentials | \.pgpass | credentials(\.json|\.ya?ml|\.toml|\.ini)?
    | secrets?\.(json|ya?ml|toml|ini|properties|txt) | id_(rsa|dsa|ecdsa|ed25519)(_sk)?
    | .*\.(pem|key|p12|pfx|jks|keystore|kdbx|gpg|asc|ppk)""",
    re.VERBOSE | re.IGNORECASE,
)
_SECRET_FOLDERS = frozenset({".ssh", ".gnupg", ".aws"})


def is_secret(path: PurePath) -> bool:
    """Tell, by its name alone, whether a file may hold keys or passwords."""
    return bool(_SECRET.fullmatch(path.name)) or not _SECRET_FOLDERS.isdisjoint(path.parts)


@dataclass(frozen=True, slots=True)
class IgnoreList:
    """The repository's own list, and the ignore files from its top down to a folder."""

    lists: tuple[tuple[Path, GitIgnoreSpec], ...]  # outermost first

    def ignores(self, path: Path, *, is_folder: bool = False) -> bool:
        """Tell whether the lists name an absolute path; the innermost one that does decides."""
        ignored = False
        for folder, spec in self.lists:
            name = path.relative_to(folder).as_posix() + ("/" if is_folder else "")
            verdict = spec.check_file(name).include
            if verdict is not None:
                ignored = verdict
        return ignored


@lru_cache(maxsize=4096)
def ignore_list(folder: Path, names: tuple[str, ...] = IGNORE_FILES) -> IgnoreList:
    """Return the lists that count in an absolute folder.

    They are read once: whoever lives longer than a command calls `ignore_list.cache_clear()`.
    """
    # Not Path.exists: it raises where a folder may not be looked into, or its name is too long.
    is_top = os.path.exists(folder / ".git") or folder.parent == folder  # noqa: PTH110
    above = () if is_top else ignore_list(folder.parent, names).lists
    files = [folder / name for name in names]
    if is_top and GITIGNORE in names:
        files.insert(0, _repository(folder) / "info" / "exclude")  # the weakest, as for git
    return IgnoreList((*above, *((folder, spec) for spec in map(_spec, files) if spec)))


def is_refused(path: Path, names: tuple[str, ...] = (OUR_IGNORE_FILE,)) -> bool:
    """Tell whether an ignore file, ours unless told, names a file or a folder above it."""
    folders = [folder for folder in path.parents if folder != folder.parent]
    return any(
        ignore_list(part.parent, names).ignores(part, is_folder=part != path)
        for part in (path, *folders)
    )


def is_private(path: Path) -> bool:
    """Tell whether a file is not read for the sake of another: it is secret, or git ignores it.

    People keep what is theirs alone in files that git ignores.
    """
    return is_secret(path) or is_refused(path, IGNORE_FILES)


def _repository(top: Path) -> Path:
    """Return the folder of the repository itself; worktrees and submodules name it in a file."""
    folder = top / ".git"
    named = _text(folder)
    if named is None or not named.startswith("gitdir:"):
        return folder
    folder = top / named.removeprefix("gitdir:").strip()
    shared = _text(folder / "commondir")  # that of all worktrees
    return folder / shared.strip() if shared else folder


def _spec(path: Path) -> GitIgnoreSpec | None:
    text = _text(path)
    return None if text is None else _parsed(text)


def _text(path: Path) -> str | None:
    try:
        if not path.is_file():  # the opening of a named pipe would wait for its writer
            return None
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_MAX_CHARS)
    except OSError:
        return None


@lru_cache(maxsize=64)
def _parsed(source: str) -> GitIgnoreSpec:
    lines = source.splitlines()
    try:
        return _of_lines(lines)
    except ValueError:  # one line that is no pattern: git ignores it, and only it
        return _of_lines([line for line in lines if _is_pattern(line)])


def _is_pattern(line: str) -> bool:
    try:
        _of_lines([line])
    except ValueError:
        return False
    return True


def _of_lines(lines: list[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(lines)
