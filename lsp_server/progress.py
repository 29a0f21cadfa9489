"""The progress of one request, as the client shows it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol

from lsprotocol import types as lsp

from engine.client import EngineStatus
from engine.protocol import Frame, TokenState

if TYPE_CHECKING:
    from types import TracebackType

MIN_INTERVAL_S = 0.1
_DONE = (TokenState.COMMITTED, TokenState.REVISED)


class ProgressClient(Protocol):
    """The two things a language server can send about progress."""

    def window_work_done_progress_create(
        self, params: lsp.WorkDoneProgressCreateParams
    ) -> Future[None]:
        """Ask the client to make room for a progress."""
        ...

    def progress(self, params: lsp.ProgressParams) -> None:
        """Send one report."""
        ...


class Progress:
    """Reports on one request from `with` to its end, at most some ten times a second.

    With a token of the client the reports start at once. Otherwise, if `may_create`, the client is
    asked for a progress; the work does not wait for its answer, and without it nothing is sent.
    """

    def __init__(
        self,
        client: ProgressClient,
        title: str,
        token: lsp.ProgressToken | None,
        *,
        may_create: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.token: lsp.ProgressToken = uuid.uuid4().hex if token is None else token
        self.wanted = token is not None or may_create
        self._client = client
        self._title = title
        self._given = token is not None
        self._clock = clock
        self._shown = False
        self._ended = False
        self._last: tuple[type, float] = (Progress, float("-inf"))  # of what, and when
        self._percentage = 0

    def __enter__(self) -> Progress:
        if self._given:
            self._begin()
        elif self.wanted:
            params = lsp.WorkDoneProgressCreateParams(self.token)
            self._client.window_work_done_progress_create(params).add_done_callback(self._created)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended = True
        if self._shown:
            self._send(lsp.WorkDoneProgressEnd())

    def on_frame(self, frame: Frame) -> None:
        """Report a denoising step; steps in quick succession are left out."""
        if not frame.tokens or not self._is_due(Frame):
            return
        done = sum(token.state in _DONE for token in frame.tokens)
        # A repair masks tokens again, but LSP wants a percentage that never falls.
        self._percentage = max(self._percentage, 100 * done // len(frame.tokens))
        self._report(f"{done} of {len(frame.tokens)} tokens", self._percentage)

    def on_status(self, status: EngineStatus) -> None:
        """Report what the engine is doing before it works on the request."""
        if status.state == "loading" and self._is_due(EngineStatus):
            share = "" if status.fraction is None else f" ({status.fraction:.0%})"
            self._report(status.message + share, None)

    def _is_due(self, kind: type) -> bool:
        """Return whether to report; the first of a kind is, or the last of another would stay."""
        now = self._clock()
        if kind is self._last[0] and now - self._last[1] < MIN_INTERVAL_S:
            return False
        self._last = (kind, now)
        return True

    def _created(self, answer: Future[None]) -> None:
        if not self._ended and not answer.cancelled() and answer.exception() is None:
            self._begin()

    def _begin(self) -> None:
        self._shown = True
        self._send(lsp.WorkDoneProgressBegin(self._title, cancellable=True, percentage=0))

    def _report(self, message: str, percentage: int | None) -> None:
        if self._shown:
            self._send(lsp.WorkDoneProgressReport(message=message, percentage=percentage))

    def _send(self, value: object) -> None:
        self._client.progress(lsp.ProgressParams(self.token, value))
