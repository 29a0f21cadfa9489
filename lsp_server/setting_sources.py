"""Where settings are read from: the user's file, the project's, the environment.

Each goes before those named earlier; the command line's options and the editor go before all.
"""

from __future__ import annotations

import errno
import os
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.folders import config_dir
from lsp_server.settings import SCHEMA, Origin, Source

USER_FILE = "config.toml"
PROJECT_FILE = "diffill.toml"
_PYPROJECT = "pyproject.toml"
_MAX_BYTES = 1 << 20
_WORDS = {
    **dict.fromkeys(("true", "on", "yes", "1"), True),
    **dict.fromkeys(("false", "off", "no", "0"), False),
}


def sources(folder: Path | None) -> Iterator[Source]:
    """Yield the sources for work in a folder (None: in no project), the weakest first."""
    yield from _from_file(Origin.USER, user_file())
    if folder:
        yield from _of_project(folder.absolute())
    yield _environment()


def user_file() -> Path:
    """Return where the user's file is."""
    return config_dir() / USER_FILE


def _of_project(folder: Path) -> Iterator[Source]:
    """Yield what the nearest folder says, from this one up to the top of its repository.

    Without a repository only this one counts: further up may be anybody's.
    """
    folders = [folder, *folder.parents]
    # Not Path.exists: it raises where a folder may not be looked into.
    tops = (n for n, one in enumerate(folders) if os.path.exists(one / ".git"))  # noqa: PTH110
    top = next(tops, 0)
    for one in folders[: top + 1]:
        found = [
            *_from_file(Origin.PROJECT, one / _PYPROJECT, "tool", "diffill"),
            *_from_file(Origin.PROJECT, one / PROJECT_FILE),
        ]
        if found:
            yield from found
            return


def _from_file(origin: Origin, path: Path, *tables: str) -> Iterator[Source]:
    """Yield what a file says, or what is wrong with it; nothing if there is none."""
    try:
        data: Any = tomllib.loads(_read(path).decode())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield Source(origin, str(path), problem=f"{path}: {error.strerror}: it is not used")
        return
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML
        yield Source(origin, str(path), problem=f"{path}: {error}: it is not used")
        return
    for table in tables:
        if not isinstance(data, dict) or table not in data:
            return
        data = data[table]
    yield Source.of(origin, str(path), data)


def _read(path: Path) -> bytes:
    # The opening of a named pipe would wait for its writer.
    without_waiting = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, os.O_RDONLY | without_waiting), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if len(raw := file.read(_MAX_BYTES + 1)) > _MAX_BYTES:
            raise OSError(errno.EFBIG, "too large for settings")
        return raw


def _environment() -> Source:
    """Return what the variables `DIFFILL_…` say; an empty one says nothing."""
    variables = {name: os.environ.get(f"DIFFILL_{name.upper()}") for name in SCHEMA}
    values = {name: _from_text(name, text) for name, text in variables.items() if text}
    return Source(Origin.ENVIRONMENT, "the environment (DIFFILL_…)", values)


def _from_text(name: str, text: str) -> object:
    """Return a text as what the schema wants; a text that is nothing of the kind, as it is."""
    kinds = SCHEMA[name]["type"]
    try:
        if "boolean" in kinds:
            return _WORDS.get(text.lower(), text)
        if "integer" in kinds:
            return int(text)
        if "number" in kinds:
            return float(text)
    except ValueError:
        return text
    if "array" in kinds:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text
