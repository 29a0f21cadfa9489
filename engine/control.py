"""What can stop or hold a request, and what it tells of how it goes."""

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
        self,
        deadline_s: float = 3600.0,
        on_frame: Callable[[Frame], None] | None = None,
        *,
        is_of_work: bool = False,
    ) -> None:
        """Begin; a deadline that `is_of_work` does not come nearer while the request is held."""
        self.started = time.monotonic()
        self.deadline_s, self._is_of_work = deadline_s, is_of_work
        self.on_frame = on_frame
        self.forward_calls = 0
        self.steps = 0
        self.span = 0  # which of the request's spans is being worked on
        self.draft = -1  # the number of the draft that is being made
        self.how = ""  # how it is made
        self.is_cut = False  # the deadline came before all that was wanted
        self._sights: dict[int, Sight] = {}  # of each span, the first
        self._attempts: list[Attempt] = []
        self._changed = threading.Condition()
        self._is_cancelled = self._is_held = False
        self.held_s = 0.0
        self.is_waiting = False  # held, and its thread has come to where it waits

    def cancel(self) -> None:
        """Stop the request before its next forward pass, held or not; safe from any thread."""
        with self._changed:
            self._is_cancelled = True
            self._changed.notify_all()

    def hold(self, is_held: bool = True) -> None:
        """Let the request wait before its next forward pass, or go on; safe from any thread."""
        with self._changed:
            self._is_held = is_held
            self._changed.notify_all()

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
        """Wait while the request is held, and see if it is over; called before every forward pass.

        No lock may be held here: what goes before may want it.

        Raises:
            Cancelled: if the client does not want the result any more.
            DeadlineExceeded: if the time is up.
        """
        with self._changed:
            if self._is_held:
                self._wait()
        self.raise_if_over()

    def _wait(self) -> None:
        began, left_s = time.monotonic(), self.deadline_s - self.seconds
        self.is_waiting = True
        self._changed.wait_for(
            lambda: self._is_cancelled or not self._is_held, None if self._is_of_work else left_s
        )
        self.is_waiting = False
        held_s = time.monotonic() - began
        self.held_s += held_s
        if self._is_of_work:
            self.started += held_s

    def raise_if_over(self) -> None:
        """Read the flag and the clock; never waits.

        Raises:
            EngineError: as `check` does.
        """
        if self._is_cancelled:
            raise Cancelled("cancelled")
        if self.seconds > self.deadline_s:
            raise DeadlineExceeded(f"no result within {self.deadline_s:g} s")

    @property
    def seconds(self) -> float:
        """Time since the request began; of one whose deadline is of the work, that at work."""
        return time.monotonic() - self.started
