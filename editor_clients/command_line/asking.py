"""Ask the engine for edit after edit: what is known is not asked, the next question comes early."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import replace

from editor_clients.command_line.engines import EngineSession
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.unfinished import Unfinished
from engine.client import OnFrame
from engine.errors import Busy
from engine.protocol import EditRequest, EditResult

_BUSY_S, _MAX_TRIES = 2.0, 30


class Asking:
    """The questions of one run; `on_frame`, in another thread, is shown how the engine works."""

    def __init__(
        self,
        session: EngineSession,
        unfinished: Unfinished,
        deadline_s: float | None,
        on_frame: OnFrame | None = None,
    ) -> None:
        self._session, self._unfinished, self._on_frame = session, unfinished, on_frame
        self._deadline_s = deadline_s
        self._ends_at = None if deadline_s is None else time.monotonic() + deadline_s
        self._ahead: tuple[EditRequest, Future[EditResult]] | None = None

    def __call__(self, request: EditRequest) -> EditResult:
        """Return the answer.

        Raises:
            EngineError: with a message for the user.
            Stop: if the run's time is up.
        """
        if known := self._unfinished.answer(request):
            return known
        tries = _MAX_TRIES
        while True:
            try:
                result = self._answer(request)
            except Busy:  # the engine's other clients go first
                tries -= 1
                if not tries:
                    raise
                time.sleep(_BUSY_S)
            else:
                self._unfinished.keep(request, result)
                return result

    def _answer(self, request: EditRequest) -> EditResult:
        future = self._started(request)
        try:
            return future.result(self._left_s())
        except TimeoutError as error:
            if self._deadline_s is None:  # not of ours: the connection's, say
                raise
            told = f"the {self._deadline_s:g} s of --deadline are over"
            raise Stop(Exit.REFUSED, told) from error
        finally:
            future.cancel()  # does nothing to one that is done

    def ahead(self, request: EditRequest) -> None:
        """Ask now what will be asked next: the engine need not wait for our own work."""
        if not self._unfinished.answer(request):
            self._ahead = request, self._session.start(request)

    def _started(self, request: EditRequest) -> Future[EditResult]:
        ahead, self._ahead = self._ahead, None
        if ahead and ahead[0] == request:
            return ahead[1]
        if ahead:
            ahead[1].cancel()
        if self._on_frame:
            return self._session.start(replace(request, frames=True), self._on_frame)
        return self._session.start(request)

    def _left_s(self) -> float | None:
        return None if self._ends_at is None else max(0.0, self._ends_at - time.monotonic())
