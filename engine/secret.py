"""Tokens and keys: from the environment or a file that only its owner reads. Torch-free."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from engine.errors import ConfigError
from engine.folders import config_dir

TOKEN_VARIABLE = "DIFFILL_TOKEN"
_MAX_BYTES = 4096


def token_file() -> Path:
    """Return where the token of the TCP interface is kept."""
    return config_dir() / "token"


def own_token() -> str:
    """Return the token of the TCP interface: `DIFFILL_TOKEN`, else its file's, made if need be.

    Raises:
        ConfigError: if the file is open to others, or cannot be read or made; or if the token is
            what no header of HTTP can hold.
    """
    path = token_file()
    token, place = os.environ.get(TOKEN_VARIABLE), TOKEN_VARIABLE
    if not token:
        if not path.exists():
            _make(path, secrets.token_urlsafe(32))
        token, place = read_secret(path), str(path)
    if not (token.isascii() and token.isprintable()) or token != token.strip():
        raise ConfigError(f"{place} is not plain ASCII without blanks at its ends")
    return token


def read_secret(path: Path) -> str:
    """Return what a file of mode 0600 holds.

    Raises:
        ConfigError: if others can read it, or it holds no text of one line.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if os.name == "posix" and mode & 0o077:
                raise ConfigError(f"{path} is open to other users: `chmod 600` it")
            text = file.read(_MAX_BYTES).decode().strip()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} does not hold a text") from error
    if not text or not text.isprintable():
        raise ConfigError(f"{path} does not hold one line of text")
    return text


def _make(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{text}\n")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
