"""What can stop a request, and whom it tells how it goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from engine.errors import Cancelled, DeadlineExceeded
from engine.protocol import Frame


class Control:
    """The cancel flag, deadline, frame sink and forward-call count of one request."""

    def __init__(
        self, deadline_s: float = 3600.0, on_frame: Callable[[Frame], None] | None = None
    ) -> None:
        self.started = time.monotonic()
        self.deadline_s = deadline_s
        self.on_frame = on_frame
        self.forward_calls = 0
        self.steps = 0
        self.span = 0  # which of the request's spans is being worked on
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Stop the request before its next forward pass; safe from any thread."""
        self._cancelled.set()

    def restart_clock(self) -> None:
        """Count time from now on."""
        self.started = time.monotonic()

    def check(self) -> None:
        """Read the flag and the clock; called before every forward pass.

        Raises:
            Cancelled: if the client does not want the result any more.
            DeadlineExceeded: if the time is up.
        """
        if self._cancelled.is_set():
            raise Cancelled("cancelled")
        if self.seconds > self.deadline_s:
            raise DeadlineExceeded(f"no result within {self.deadline_s:g} s")

    @property
    def seconds(self) -> float:
        """Time since the request began."""
        return time.monotonic() - self.started
