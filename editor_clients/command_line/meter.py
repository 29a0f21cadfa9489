"""How far a run is: on a terminal a line and a canvas that keep themselves current."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING

from editor_clients.command_line.diff import visible
from editor_clients.command_line.screen import Screen
from engine.client import EngineStatus
from engine.protocol import EditStats, Frame, TokenState

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress
    from rich.text import Text

_CANVAS_LINES = 12
_STYLES = {
    TokenState.MASKED: "dim",
    TokenState.PROVISIONAL: "dim italic",
    TokenState.COMMITTED: "",
    TokenState.REVISED: "yellow",
}


class Meter:
    """Counts files, then spans; shows tokens a second, the time left and live canvases.

    Where standard error is no terminal, it shows nothing.
    """

    def __init__(self, screen: Screen) -> None:
        self._progress: Progress | None = None
        self._tokens, self._seconds = 0, 0.0
        self._shown = ""
        self._num_files = self._num_shown = 0
        self._canvas: Text | None = None
        if screen.quiet or not sys.stderr.isatty():
            return
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        meter = self

        class WithCanvas(Progress):
            """The line, and below it the canvas."""

            def get_renderables(self) -> Iterable[RenderableType]:
                yield from super().get_renderables()
                if meter._canvas:
                    yield meter._canvas

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(compact=True),
        )
        self._progress = WithCanvas(*columns, console=screen.console(), transient=True)
        self._task = self._progress.add_task("", unit="", speed="", visible=False)
        self._progress.start()

    def begin(self, what: str, total: int | None, unit: str, num_files: int = 0) -> None:
        """Start to count from nothing; `total` is None if nobody knows how far."""
        self._num_files, self._num_shown = num_files, 0
        if self._progress:
            self._progress.reset(
                self._task, total=total, description=what, visible=True, unit=unit, speed=""
            )

    def show(self, name: str) -> None:
        """Say which file is being worked on."""
        self._num_shown += 1
        if self._progress:
            shown = "".join(c if c.isprintable() else "?" for c in name)[-40:]
            of_all = (
                f" (file {self._num_shown} of {self._num_files})" if self._num_files > 1 else ""
            )
            self._shown = shown + of_all
            self._progress.update(self._task, description=self._shown)

    def step(self, stats: EditStats | None = None) -> None:
        """Count one; `stats` is what a span cost."""
        if self._progress is None:
            return
        self._canvas = None
        if stats:
            self._tokens += stats.tokens
            self._seconds += stats.seconds
            speed = f"{self._tokens / self._seconds:.1f} tokens/s" if self._seconds else ""
            self._progress.update(self._task, speed=speed)
        self._progress.advance(self._task)

    def on_frame(self, frame: Frame) -> None:
        """Show how a span is being denoised, until it is counted or something is asked."""
        if self._progress is None:
            return
        from rich.text import Text

        canvas = Text(overflow="fold")
        for token in frame.tokens:
            text = "░" if token.state is TokenState.MASKED else visible(token.text)
            canvas.append(text, style=_STYLES[token.state])
        lines = canvas.split(allow_blank=True)[-_CANVAS_LINES:]
        self._canvas = Text("\n").join(lines)

    def on_status(self, status: EngineStatus) -> None:
        """Show that the engine loads, until it is ready."""
        if self._progress:
            what = self._shown if status.state == "ready" else status.message
            self._progress.update(self._task, description=what)

    @contextmanager
    def paused(self) -> Generator[None]:
        """Take the line away while something else is printed, or asked."""
        if self._progress is None:
            yield
            return
        self._canvas = None
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def end(self) -> None:
        """Take the line away."""
        if self._progress:
            self._progress.stop()
            self._progress = None
