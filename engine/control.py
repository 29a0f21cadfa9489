"""What can stop a request, and what it tells of how it goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.errors import Cancelled, DeadlineExceeded
from engine.protocol import Attempt, Explanation, Frame, Sight
from grammars.verdict import Verdict

if TYPE_CHECKING:  # drafts are made with a control
    from engine.tries import Draft


class Control:
    """The cancel flag, deadline, frame sink, counts and notes of one request."""

    def __init__(
        self, deadline_s: float = 3600.0, on_frame: Callable[[Frame], None] | None = None
    ) -> None:
        self.started = time.monotonic()
        self.deadline_s = deadline_s
        self.on_frame = on_frame
        self.forward_calls = 0
        self.steps = 0
        self.span = 0  # which of the request's spans is being worked on
        self.draft = -1  # the number of the draft that is being made
        self.how = ""  # how it is made
        self.is_cut = False  # the deadline came before all that was wanted
        self._sights: dict[int, Sight] = {}  # of each span, the first
        self._attempts: list[Attempt] = []
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Stop the request before its next forward pass; safe from any thread."""
        self._cancelled.set()

    def see(self, before: str, after: str, tokens: int = 0, span: int | None = None) -> None:
        """Note what the model is given for a span, the one being worked on unless told."""
        span = self.span if span is None else span
        self._sights.setdefault(span, Sight(span, before, after, tokens))

    def begin_draft(self, how: str) -> None:
        """Note that another draft is begun, and how it is made."""
        self.draft += 1
        self.how = how

    def judged(self, draft: Draft, text: str, verdict: Verdict) -> None:
        """Note what became of a text of a draft, perhaps not the last one begun."""
        own = draft.number, draft.how, text, verdict, draft.score, draft.tokens
        self._attempts.append(Attempt(self.span, *own, self.forward_calls))

    @property
    def explanation(self) -> Explanation:
        """All the notes."""
        return Explanation(tuple(self._sights.values()), tuple(self._attempts))

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
