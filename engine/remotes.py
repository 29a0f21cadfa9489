"""Models on other machines, as the user has set them up in `remotes.toml`. Torch-free.

    [NAME]                  # then --model remote:NAME, or the setting `model`
    kind = "mercury"        # its interface; "openai" and "llama.cpp" are the others
    url = "https://…/v1"    # what comes in front of /fim/completions, /completions, /infill
    model = "…"             # what it is called there
    key_env = "…"           # where the key is: a variable, or `key_file`, of mode 0600
    timeout_s = 20
    plain_http = false      # true: your code may go unencrypted to another machine

Nothing else can name a remote, a project's settings least of all.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.errors import ConfigError
from engine.folders import config_dir
from engine.secret import read_secret

PREFIX = "remote:"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MAX_TIMEOUT_S = 600.0


class Kind(StrEnum):
    """The interfaces of other servers that Diffill can ask."""

    LLAMA_CPP = "llama.cpp"
    OPENAI = "openai"
    MERCURY = "mercury"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A model that is asked over HTTP.

    Raises:
        ConfigError: naming what is wrong.
    """

    name: str
    kind: Kind
    url: str
    model: str = ""
    key_env: str = ""
    key_file: str = ""
    timeout_s: float = 20.0
    plain_http: bool = False

    def __post_init__(self) -> None:
        where = f"remote {self.name}"
        parts = _split(self.url)
        if parts is None or parts[0] not in ("http", "https"):
            raise ConfigError(f"{where}: url is {self.url!r}, not one of http or https")
        if parts[0] == "http" and parts[1] not in _LOOPBACK and not self.plain_http:
            raise ConfigError(
                f"{where}: url is {self.url!r}: your code would go unencrypted to another machine; "
                "use https, or allow it by plain_http"
            )
        if self.key_env and self.key_file:
            raise ConfigError(f"{where}: key_env and key_file are both there: name one")
        if not 0 < self.timeout_s <= _MAX_TIMEOUT_S:
            raise ConfigError(f"{where}: timeout_s is {self.timeout_s:g}, not within 0 to 600")

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        parts = _split(self.url)
        return parts is not None and parts[1] in _LOOPBACK

    @property
    def digest(self) -> str:
        """Tell this set-up from others, as a model file's hash does."""
        values = "\0".join(str(getattr(self, field.name)) for field in fields(self))
        return hashlib.sha256(values.encode()).hexdigest()

    def key(self) -> str | None:
        """Return the key to send, None if it needs none.

        Raises:
            ConfigError: if the variable is not set, or the file cannot be used.
        """
        if self.key_file:
            return read_secret(Path(self.key_file).expanduser())
        if not self.key_env:
            return None
        if key := os.environ.get(self.key_env):
            return key
        raise ConfigError(
            f"remote {self.name}: {self.key_env} is not set where the engine was started; "
            "set it and `diffill engine stop`, or name a key_file"
        )


def remotes_file() -> Path:
    """Return where remotes are set up."""
    return config_dir() / "remotes.toml"


def remote_name(model: str | None) -> str | None:
    """Return the name of the remote that `model` or `DIFFILL_MODEL` asks for, if it is one."""
    named = model or os.environ.get("DIFFILL_MODEL") or ""
    return named.removeprefix(PREFIX) if named.startswith(PREFIX) else None


def remote_of(model: str | None) -> Remote | None:
    """Return the remote that `model` or `DIFFILL_MODEL` asks for; None if it asks for none.

    Raises:
        ConfigError: if there is no such remote, or it is set up wrongly.
    """
    name = remote_name(model)
    if name is None:
        return None
    path = remotes_file()
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        tables = {}
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    if name not in tables:
        known = f"there: {', '.join(tables)}" if tables else "it sets up none"
        raise ConfigError(f"{path} sets up no remote {name!r}; {known}")
    return _remote(name, tables[name])


def _remote(name: str, table: Any) -> Remote:
    where = f"remote {name}"
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: not a table")
    known = {field.name for field in fields(Remote)} - {"name"}
    if unknown := set(table) - known:
        raise ConfigError(f"{where}: unknown: {', '.join(sorted(unknown))}")
    if missing := {"kind", "url"} - set(table):
        raise ConfigError(f"{where}: missing: {', '.join(sorted(missing))}")
    values: dict[str, Any] = dict(table)
    for key, value in values.items():
        fits = {"timeout_s": type(value) in (int, float), "plain_http": type(value) is bool}
        if not fits.get(key, type(value) is str):
            raise ConfigError(f"{where}: {key} is {value!r}, which it cannot be")
    if values["kind"] not in list(Kind):
        raise ConfigError(f"{where}: kind is {values['kind']!r}, not one of {', '.join(Kind)}")
    values["kind"] = Kind(values["kind"])
    return Remote(name=name, **values)


def _split(url: str) -> tuple[str, str | None] | None:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname
    except ValueError:
        return None
