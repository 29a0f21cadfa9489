"""How many processors other work leaves to ours, of those that we may run on.

The threads of a pass wait for each other after each of its hundreds of operations. One that finds
no processor delays them all, so beside other work fewer threads are faster. Linux tells how long
each processor was busy; elsewhere all are taken for free.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

STAT, LOADAVG = Path("/proc/stat"), Path("/proc/loadavg")
# Linux counts in hundredths of a second: less than this says little.
WINDOW_S = 0.2
# What was while we paused so long says little of now. Then it counts how many run on for some
# milliseconds, if they are fewer, and the next look comes soon, because that says little, too.
_PAUSE_S, _SOON_S = 0.5, 0.06
_MOMENTS, _MOMENT_S = 4, 0.003


class _Reading(NamedTuple):
    at_s: float
    busy_s: float  # of our processors, for everybody
    own_s: float  # of this process
    processors: int  # of ours


def _read() -> _Reading | None:
    if sys.platform != "linux":
        return None
    ours = {f"cpu{number}" for number in os.sched_getaffinity(os.getpid())}
    ticks: list[int] = []
    try:
        with STAT.open(encoding="ascii") as stat:
            for name, *columns in map(str.split, stat):
                if name in ours:
                    user, nice, system, _, _, *interrupts = map(int, columns[:8])
                    # The last of them is what a virtual machine's neighbours took.
                    ticks.append(user + nice + system + sum(interrupts))
    except (OSError, ValueError):
        return None
    busy_s = sum(ticks) / os.sysconf("SC_CLK_TCK")
    if not ticks:
        return None
    return _Reading(time.monotonic(), busy_s, time.process_time(), len(ticks))


def _running() -> int:
    """Return how many threads run on the whole machine at this moment, this one among them."""
    return int(LOADAVG.read_text("ascii").split()[3].partition("/")[0])


def _others_still() -> float:
    """Return how many others do not stop: who was busy a moment ago may just be done."""
    fewest = float("inf")
    with suppress(OSError, ValueError, IndexError):
        fewest = _running()
        for _ in range(_MOMENTS):
            if fewest > 1:
                time.sleep(_MOMENT_S)
                fewest = min(fewest, _running())
    return fewest - 1


class Processors:
    """Tells how many threads would have had a processor each since it last looked."""

    def __init__(self, most: int) -> None:
        """Take how many threads there are to be at most."""
        self._most = self._free = most
        self._last = _read()
        self._window_s = WINDOW_S

    def free(self) -> int:
        """Return a number of threads, at least one; looks again `WINDOW_S` after the last time."""
        last = self._last
        if last and time.monotonic() < last.at_s + self._window_s:
            return self._free
        self._last = now = _read()
        self._free, self._window_s = self._most, WINDOW_S
        if last and now:
            passed_s, own_s = now.at_s - last.at_s, now.own_s - last.own_s
            others = (now.busy_s - last.busy_s - own_s) / passed_s
            if passed_s - own_s > _PAUSE_S:
                self._window_s = _SOON_S
                if round(others) > 0:
                    others = min(others, _others_still())
            self._free = max(1, min(self._most, round(now.processors - others)))
        return self._free
