"""Counts of proposals and what became of them, in one file of the user's. Counts, never text.

The file is `{"schema": 1, "since": DATE, "counts": {"completion shown": 3, …}}`. A latency is
counted in the first bucket that holds it: `"edit within 2 s"`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import Cancelled, EngineError

if TYPE_CHECKING:
    from filelock import FileLock

log = logging.getLogger(__name__)

SCHEMA_VERSION = 1
LATENCIES_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 3600.0)
# What a killed server loses.
_WRITE_EVERY_S = 10.0
_LOCK_TIMEOUT_S = 5.0


class Kind(StrEnum):
    """What was proposed."""

    COMPLETION = "completion"
    EDIT = "edit"


class Event(StrEnum):
    """What happened; a proposal that was shown is accepted, dismissed or still open."""

    SHOWN = "shown"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"
    REFUSED = "refused"  # nothing was good enough to show, or the file is left alone
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Record:
    """What the file holds."""

    since: str = field(default_factory=lambda: date.today().isoformat())
    counts: Mapping[str, int] = field(default_factory=dict[str, int])

    def count(self, kind: Kind, event: Event) -> int:
        """Return how often something happened."""
        return self.counts.get(_name(kind, event), 0)

    def latency_s(self, kind: Kind, share: float) -> float | None:
        """Return within how many seconds a share of the answers came, None without answers."""
        per_bucket = [self.counts.get(_bucket(kind, limit), 0) for limit in LATENCIES_S]
        left = share * sum(per_bucket)
        for limit, count in zip(LATENCIES_S, per_bucket, strict=True):
            left -= count
            if count and left <= 1e-9:
                return limit
        return None


class Metrics:
    """Counts what happens in this process; on the event loop only."""

    def __init__(self) -> None:
        self.is_on = False
        self._counts: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def count(self, kind: Kind, event: Event) -> None:
        """Count an event."""
        self._add(_name(kind, event))

    def took(self, kind: Kind, seconds: float) -> None:
        """Count an answer of the model by its latency."""
        self._add(_bucket(kind, next((s for s in LATENCIES_S if seconds <= s), LATENCIES_S[-1])))

    async def write(self) -> None:
        """Add what was counted to the file; if that is not possible now, it is kept for later."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            await asyncio.to_thread(add, counts)
        except OSError as error:
            log.warning("the metrics cannot be written: %s", error)
            self._counts.update(counts)

    def _add(self, name: str) -> None:
        if not self.is_on:
            return
        self._counts[name] += 1
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_WRITE_EVERY_S, self._start_writing)

    def _start_writing(self) -> None:
        self._writing = asyncio.create_task(self.write())


@contextlib.contextmanager
def counted(metrics: Metrics, kind: Kind) -> Generator[None]:
    """Count how long the model takes in the block, or that it failed; cancelling is neither."""
    start = time.monotonic()
    try:
        yield
    except EngineError as error:
        if not isinstance(error, Cancelled):
            metrics.count(kind, Event.FAILED)
        raise
    metrics.took(kind, time.monotonic() - start)


def path() -> Path:
    """Return the file: in `DIFFILL_STATE`, else in the user's folder for such."""
    if folder := os.environ.get("DIFFILL_STATE"):
        return Path(folder).absolute() / "metrics.json"
    import platformdirs

    return platformdirs.user_state_path("diffill", appauthor=False) / "metrics.json"


def add(counts: Counter[str]) -> None:
    """Add counts to the file; several processes may do so at once.

    Raises:
        OSError: if it cannot be written, or another process does not let go of it.
    """
    target = path()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _lock(target):
        old = read()
        whole = {
            "schema": SCHEMA_VERSION,
            "since": old.since,
            "counts": dict(sorted((Counter(old.counts) + counts).items())),
        }
        handle, new = tempfile.mkstemp(prefix=".metrics.", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(whole, file, indent=1)
            Path(new).replace(target)
        except BaseException:
            Path(new).unlink(missing_ok=True)
            raise


def read() -> Record:
    """Return what the file holds; a file that is missing or damaged holds nothing."""
    try:
        data: Any = json.loads(path().read_bytes())
    except (OSError, ValueError):
        return Record()
    match data:
        case {"schema": 1, "since": str(since), "counts": {**counts}}:
            good = {k: n for k, n in counts.items() if type(n) is int and n > 0}
            return Record(since, good)
        case _:
            return Record()


def erase() -> bool:
    """Delete the file; tells whether there was one.

    Raises:
        OSError: if it cannot be deleted, or another process does not let go of it.
    """
    target = path()
    if not target.exists():
        return False
    with _lock(target):
        target.unlink(missing_ok=True)
    return True


def _lock(target: Path) -> FileLock:
    from filelock import FileLock

    return FileLock(target.with_name("metrics.lock"), timeout=_LOCK_TIMEOUT_S)


def _name(kind: Kind, event: Event) -> str:
    return f"{kind} {event}"


def _bucket(kind: Kind, limit_s: float) -> str:
    return f"{kind} within {limit_s:g} s"
