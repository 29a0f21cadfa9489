"""Where the engine of a model listens, and who may reach it there. Torch-free."""

from __future__ import annotations

import hashlib
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path

from engine import __version__
from engine.catalogue import (
    LocalModel,
    chosen_adapter,
    chosen_device,
    chosen_precision,
    resolve_local,
)
from engine.errors import ConfigError
from engine.protocol import PROTOCOL_VERSION
from engine.remotes import PREFIX, remote_of

# `sun_path` holds 104 bytes on macOS and 108 on Linux, its final zero included.
MAX_SOCKET_BYTES = 103


@dataclass(frozen=True, slots=True)
class Identity:
    """What client and engine must agree on before they talk; the first line the engine says."""

    version: str  # of the package
    name: str  # of the model
    hash: str  # of its file
    protocol: int = PROTOCOL_VERSION


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one engine: its socket, the lock it holds while it lives, its log."""

    folder: Path
    key: str

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / f"{self.key}.sock"

    @property
    def lock(self) -> Path:
        """Locked by the engine that lives here; holds its process id."""
        return self.folder / f"{self.key}.lock"

    @property
    def log(self) -> Path:
        """What an engine that was started on demand says; never code."""
        return self.folder / f"{self.key}.log"


def runtime_dir() -> Path:
    """Return the folder of all engines: `DIFFILL_RUNTIME`, else the user's runtime folder."""
    if folder := os.environ.get("DIFFILL_RUNTIME"):
        return Path(folder).expanduser().absolute()
    import platformdirs

    with warnings.catch_warnings():
        # It warns where XDG_RUNTIME_DIR is not set; whose the folder is we look at ourselves.
        warnings.simplefilter("ignore")
        return platformdirs.user_runtime_path("diffill", appauthor=False)


def identity_of(local: LocalModel) -> Identity:
    """Return what an engine on a model says of itself.

    A file that the catalogue does not know is told by path, size and time: hashing takes a second.
    """
    digest = local.entry.sha256 or hashlib.sha256(_stamp(local.path).encode()).hexdigest()
    return Identity(__version__, local.entry.name, digest)


@dataclass(frozen=True, slots=True)
class Residence:
    """The one engine for a model, as this installation of Diffill runs it."""

    model: str  # names the model to the engine's process
    identity: Identity
    place: Place


def residence_of(model: str | None) -> Residence:
    """Return where the engine of a model lives: one that is on this machine, or a remote.

    Raises:
        EngineError: if there is no such model.
    """
    if remote := remote_of(model):
        name = f"remote-{remote.name}"
        argument, identity = PREFIX + remote.name, Identity(__version__, name, remote.digest)
        own: tuple[str, ...] = ()  # of the models that run here alone
    else:
        local = resolve_local(model)
        argument, identity = str(local.path), identity_of(local)
        room = os.environ.get("DIFFILL_DEVICE_GB", "")
        own = chosen_device(), room, chosen_precision(), _stamp(chosen_adapter())
    parts = (
        *(identity.protocol, identity.version, identity.hash, argument),
        *(*own, Path(__file__).parent),
    )
    key = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:12]
    name = "".join(char if char.isalnum() or char in "._-" else "_" for char in identity.name[:24])
    return Residence(argument, identity, Place(runtime_dir(), f"{name}-{key}"))


def _stamp(path: Path | None) -> str:
    """Return what changes when a file does."""
    if path is None:
        return ""
    facts = path.stat()
    return f"{path}:{facts.st_size}:{facts.st_mtime_ns}"


def private(place: Place) -> Place:
    """Make the folder of a place if need be, and return the place if nobody else can enter it.

    Raises:
        ConfigError: if the folder is another user's, or open to others, or its path too long.
    """
    folder = place.folder
    if len(os.fsencode(place.socket)) > MAX_SOCKET_BYTES:
        raise ConfigError(f"{folder} is too long a path for a socket; set DIFFILL_RUNTIME")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.lstat()
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be made: {error.strerror}; set DIFFILL_RUNTIME"
        ) from error
    if not stat.S_ISDIR(facts.st_mode):
        raise ConfigError(f"{folder} is not a folder; set DIFFILL_RUNTIME to another")
    if facts.st_uid != os.getuid():
        raise ConfigError(
            f"{folder} belongs to another user; set DIFFILL_RUNTIME to a folder of yours"
        )
    if facts.st_mode & 0o077:
        raise ConfigError(
            f"{folder} is open to other users: `chmod 700` it, or set DIFFILL_RUNTIME to another"
        )
    return place
