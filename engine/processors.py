"""How many processors the machine's other work leaves to ours.

The threads of a pass wait for each other after each of its hundreds of operations. One that finds
no processor delays them all, so beside other work fewer threads are faster. Linux tells how long
its processors were busy; elsewhere all are taken for free.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

STAT = Path("/proc/stat")
# Linux counts in hundredths of a second: less than this says little.
WINDOW_S = 0.2


class _Reading(NamedTuple):
    at_s: float
    busy_s: float  # of all processors, for everybody
    own_s: float  # of this process


def _read() -> _Reading | None:
    try:
        with STAT.open(encoding="ascii") as stat:
            user, nice, system, _, _, *interrupts = map(int, stat.readline().split()[1:9])
    except (OSError, ValueError):
        return None
    # The last of them is what a virtual machine's neighbours took.
    busy_s = (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
    return _Reading(time.monotonic(), busy_s, time.process_time())


class Processors:
    """Tells how many threads have a processor each, as far as the time since it was last asked."""

    def __init__(self, most: int) -> None:
        """Take how many threads there are to be at most."""
        self._most = self._free = most
        self._last = _read()

    def free(self) -> int:
        """Return a number of threads, at least one; read anew `WINDOW_S` after the last time."""
        if self._last is None or time.monotonic() < self._last.at_s + WINDOW_S:
            return self._free
        last, self._last = self._last, _read()
        if self._last is not None:
            at_s, busy_s, own_s = (new - old for new, old in zip(self._last, last, strict=True))
            others = (busy_s - own_s) / at_s
            self._free = max(1, min(self._most, round((os.cpu_count() or 1) - others)))
        return self._free
