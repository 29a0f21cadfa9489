"""The journal: a write-ahead log of what is written, so that it can be taken back, crash or not.

One folder a run, in the user's state folder; nobody else may read it. The old bytes of a file and a
record of its change are on the disk before the file is replaced. What belongs together (a file and
its check; with --atomic, all files) is sealed by a commit. Changes behind the last commit of a run
whose process is gone are taken back by the next command (`recovery`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from editor_clients.command_line import files
from editor_clients.command_line.exits import Exit, Stop

MAX_RUNS = 100
_LOG = "entries.jsonl"
_LOCK = "lock"  # held by whoever writes for the run: the system frees it when that process ends
_OPEN = "open"  # there while changes may lie behind the last commit
_UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file that was, or was about to be, replaced."""

    path: str  # absolute, links followed
    before: str  # SHA-256 of its bytes
    after: str
    bytes_in: str  # the file of the journal that holds the old bytes


class Journal:
    """The log of one run: its entries, those taken back again, and what is committed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = FileLock(folder / _LOCK)
        self._recorded = 0

    @property
    def name(self) -> str:
        """What `diffill undo` calls the run."""
        return self.folder.name

    def record(self, path: Path, before: bytes, after: bytes) -> Entry:
        """Keep a file's old bytes; on return they are on the disk.

        Raises:
            Stop: if they cannot be kept.
        """
        entry = Entry(str(path), digest(before), digest(after), f"{self._recorded}.before")
        try:
            with (self.folder / entry.bytes_in).open("xb") as file:
                _written(file.fileno(), before)
            files.sync_folder(self.folder)
        except OSError as error:
            raise Stop(
                Exit.REFUSED,
                f"{path}: its old bytes cannot be kept in {self.folder} "
                f"({files.why(error)}), so it was not written",
            ) from error
        self._append(asdict(entry))
        self._recorded += 1
        return entry

    def drop(self, entry: Entry) -> None:
        """Note that a change was taken back: it is no part of the run any more."""
        with contextlib.suppress(Stop):  # without the note it is taken back once more: no harm
            self._append({"drop": entry.bytes_in})

    def commit(self) -> None:
        """Seal all changes so far: from now on only `diffill undo` takes them back."""
        self._append({"commit": True})

    def revoke(self) -> None:
        """Unseal all changes: whoever comes next takes them back, should this process not do it."""
        (self.folder / _OPEN).touch()
        self._append({"revoke": True})

    def entries(self) -> list[Entry]:
        """Return the changes that were not taken back, in order."""
        return list(self._replayed()[0].values())

    def pending(self) -> list[Entry]:
        """Return those of them that are not committed."""
        entries, committed = self._replayed()
        return [entry for key, entry in entries.items() if key not in committed]

    def touched(self) -> list[str]:
        """Return the paths of all files it recorded, of those taken back, too."""
        paths = (record["path"] for record in self._records() if "path" in record)
        return list(dict.fromkeys(paths))

    def _replayed(self) -> tuple[dict[str, Entry], set[str]]:
        entries: dict[str, Entry] = {}
        committed: set[str] = set()
        for record in self._records():
            match record:
                case {"drop": key}:
                    entries.pop(key, None)
                case {"commit": _}:
                    committed = set(entries)
                case {"revoke": _}:
                    committed = set()
                case _:
                    entries[record["bytes_in"]] = Entry(**record)
        return entries, committed

    def _records(self) -> Iterator[dict[str, Any]]:
        try:
            lines = (self.folder / _LOG).read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        yield from map(json.loads, lines[:-1])  # a last one cut by a crash does not count

    def _append(self, record: dict[str, Any]) -> None:
        try:
            with (self.folder / _LOG).open("ab") as file:
                _written(file.fileno(), json.dumps(record).encode() + b"\n")
        except OSError as error:
            why = files.why(error)
            raise Stop(Exit.REFUSED, f"{self.folder}: the journal cannot be kept: {why}") from error

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

    def start(self) -> None:
        """Hold the run for this process until `settle`, or until the process ends."""
        self._lock.acquire(timeout=0)
        (self.folder / _OPEN).touch()  # only now: who sees it knows that the lock tells the truth
        files.sync_folder(self.folder.parent)

    def settle(self) -> None:
        """Let go of the run; what is not committed even now, the next command takes back."""
        if self.is_undone or not self.pending():
            (self.folder / _OPEN).unlink(missing_ok=True)
        self._lock.release()

    @contextlib.contextmanager
    def held(self) -> Generator[bool]:
        """Hold a run that somebody began; False if its process still lives."""
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            yield False
            return
        try:
            self._cut_torn_end()
            yield True
        finally:
            self._lock.release()

    def _cut_torn_end(self) -> None:
        with contextlib.suppress(FileNotFoundError), (self.folder / _LOG).open("r+b") as file:
            raw = file.read()
            if not raw.endswith(b"\n"):
                file.truncate(raw.rfind(b"\n") + 1)

    @property
    def is_open(self) -> bool:
        """Whether it may hold changes that are not committed."""
        return (self.folder / _OPEN).exists()

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
    # Of one look at the clock: names are in the order of time, also where a second ends.
    seconds, rest = divmod(time.time_ns(), 10**9)
    moment = time.strftime("%Y%m%dT%H%M%S", time.localtime(seconds))
    folder = home() / f"{moment}.{rest:09}-{secrets.token_hex(3)}"
    run = Journal(folder)
    try:
        home().mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        run.start()
    except OSError as error:
        raise Stop(
            Exit.REFUSED,
            f"{folder}: {files.why(error)}: nothing is written without a journal; "
            "DIFFILL_STATE names another folder",
        ) from error
    for old in list(runs())[MAX_RUNS:]:
        if not old.is_open:
            with contextlib.suppress(OSError):
                shutil.rmtree(old.folder)
    return run


def runs() -> Iterator[Journal]:
    """Yield the journals there are, the newest first."""
    if home().is_dir():
        for folder in sorted((f for f in home().iterdir() if f.is_dir()), reverse=True):
            yield Journal(folder)


def home() -> Path:
    """Return the folder of all journals; `DIFFILL_STATE` moves it."""
    return state_folder() / "journal"


def state_folder() -> Path:
    """Return where Diffill keeps what it must remember between commands."""
    state = os.environ.get("DIFFILL_STATE") or platformdirs.user_state_dir("diffill", False)
    return Path(state).absolute()


def digest(raw: bytes) -> str:
    """Return the SHA-256 of some bytes, in hex."""
    return hashlib.sha256(raw).hexdigest()


def _written(handle: int, raw: bytes) -> None:
    view = memoryview(raw)
    while view:
        view = view[os.write(handle, view) :]
    os.fsync(handle)
