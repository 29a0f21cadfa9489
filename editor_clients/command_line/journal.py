"""The journal: the old bytes of every file that was written, so that `diffill undo` has them.

One folder a run, in the user's state folder; nobody else may read it. An entry is on the disk
before its file is replaced, so it is there however the run ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from editor_clients.command_line import files
from editor_clients.command_line.exits import Exit, Stop

MAX_RUNS = 100
_ENTRIES = "entries.jsonl"
_UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file that was, or was about to be, replaced."""

    path: str  # absolute, links followed
    before: str  # SHA-256 of its bytes
    after: str
    bytes_in: str  # the file of the journal that holds the old bytes


class Journal:
    """The entries of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        """What `diffill undo` calls the run."""
        return self.folder.name

    def record(self, path: Path, before: bytes, after: bytes) -> Entry:
        """Keep a file's old bytes; on return they are on the disk.

        Raises:
            Stop: if they cannot be kept.
        """
        number = sum(1 for _ in self.folder.glob("*.before"))
        entry = Entry(str(path), digest(before), digest(after), f"{number}.before")
        try:
            with (self.folder / entry.bytes_in).open("xb") as file:
                _written(file.fileno(), before)
            with (self.folder / _ENTRIES).open("ab") as file:
                _written(file.fileno(), json.dumps(asdict(entry)).encode() + b"\n")
        except OSError as error:
            raise Stop(
                Exit.REFUSED,
                f"{path}: its old bytes cannot be kept in {self.folder} "
                f"({files.why(error)}), so it was not written",
            ) from error
        return entry

    def entries(self) -> list[Entry]:
        """Return the entries in the order they were made; a last one cut by a crash is left out."""
        try:
            lines = (self.folder / _ENTRIES).read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        return [Entry(**json.loads(line)) for line in lines]

    def old_bytes(self, entry: Entry) -> bytes:
        """Return what a file held.

        Raises:
            Stop: if the journal is damaged.
        """
        try:
            raw = (self.folder / entry.bytes_in).read_bytes()
        except OSError as error:
            raise Stop(Exit.REFUSED, f"{entry.path}: the journal lacks its bytes") from error
        if digest(raw) != entry.before:
            raise Stop(Exit.REFUSED, f"{entry.path}: the journal's bytes are damaged")
        return raw

    @property
    def is_undone(self) -> bool:
        """Whether the run was taken back."""
        return (self.folder / _UNDONE).exists()

    def mark_undone(self) -> None:
        """Remember that the run was taken back."""
        (self.folder / _UNDONE).touch()


def begin() -> Journal:
    """Start the journal of a run; the oldest runs beyond `MAX_RUNS` are forgotten.

    Raises:
        Stop: if there is no place for it.
    """
    name = f"{time.strftime('%Y%m%dT%H%M%S')}.{time.time_ns() % 10**9:09}-{secrets.token_hex(3)}"
    folder = home() / name
    try:
        home().mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise Stop(
            Exit.REFUSED,
            f"{folder}: {files.why(error)}: nothing is written without a journal; "
            "DIFFILL_STATE names another folder",
        ) from error
    for old in list(runs())[MAX_RUNS:]:
        with contextlib.suppress(OSError):
            shutil.rmtree(old.folder)
    return Journal(folder)


def runs() -> Iterator[Journal]:
    """Yield the journals there are, the newest first."""
    if home().is_dir():
        for folder in sorted((f for f in home().iterdir() if f.is_dir()), reverse=True):
            yield Journal(folder)


def home() -> Path:
    """Return the folder of all journals; `DIFFILL_STATE` moves it."""
    state = os.environ.get("DIFFILL_STATE") or platformdirs.user_state_dir("diffill", False)
    return Path(state).absolute() / "journal"


def digest(raw: bytes) -> str:
    """Return the SHA-256 of some bytes, in hex."""
    return hashlib.sha256(raw).hexdigest()


def _written(handle: int, raw: bytes) -> None:
    view = memoryview(raw)
    while view:
        view = view[os.write(handle, view) :]
    os.fsync(handle)
