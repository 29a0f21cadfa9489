"""How long to wait for the next keystroke before a model is asked."""

from __future__ import annotations

import time
from collections.abc import Callable

_PAUSE_S = 1.0  # longer than this is no rhythm, but thought
_WEIGHT = 0.3
_SHARE = 1.5


class TypingPace:
    """Measures keystrokes; the wait is a little more than the usual time between two of them.

    So in the middle of a word nothing is asked, and behind it little time is lost.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_s: float | None = None
        self._mean_s: float | None = None

    def wait_s(self, longest_ms: int) -> float:
        """Count a keystroke, and return how long to wait for another one."""
        now = self._clock()
        since = None if self._last_s is None else now - self._last_s
        self._last_s = now
        if since is not None and since < _PAUSE_S:
            mean = since if self._mean_s is None else self._mean_s
            self._mean_s = mean + _WEIGHT * (since - mean)
        usual = longest_ms / 1000 if self._mean_s is None else _SHARE * self._mean_s
        return min(longest_ms / 1000, usual)
