"""How many processors other work leaves to ours, of those that we may run on.

The threads of a pass wait for each other after each of its hundreds of operations. One that finds
no processor delays them all, so beside other work fewer threads are faster. Linux tells how long
each processor was busy; elsewhere all are taken for free.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

STAT, LOADAVG = Path("/proc/stat"), Path("/proc/loadavg")
# Linux counts in hundredths of a second: less than this says little.
WINDOW_S = 0.2
# What was while we paused so long says little of now. Then it counts how many are running at this
# moment, if they are fewer, and the next look comes soon, because a moment says little, too.
_PAUSE_S, _SOON_S = 0.5, 0.06


class _Reading(NamedTuple):
    at_s: float
    busy_s: float  # of our processors, for everybody
    own_s: float  # of this process
    processors: int  # of ours
    running: int  # threads on the whole machine, this one among them


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
        running = int(LOADAVG.read_text("ascii").split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        return None
    busy_s = sum(ticks) / os.sysconf("SC_CLK_TCK")
    if not ticks:
        return None
    return _Reading(time.monotonic(), busy_s, time.process_time(), len(ticks), running)


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
                others, self._window_s = min(others, now.running - 1), _SOON_S
            self._free = max(1, min(self._most, round(now.processors - others)))
        return self._free
