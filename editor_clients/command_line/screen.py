"""What the user sees: results on standard output, everything else on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TextIO

from editor_clients.command_line import diff, files

if TYPE_CHECKING:
    from rich.console import Console

    from engine.client import EngineStatus
    from engine.protocol import EditStats

STDOUT = "standard output"
ColorChoice = Literal["auto", "always", "never"]
Report = Callable[[str, float | None], None]
# Gives a text a style, which is the parameters of the escape sequence SGR.
Paint = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Screen:
    """The two streams, and how much to say on them."""

    color: ColorChoice = "auto"
    quiet: bool = False

    def out(self, text: str) -> None:
        """Write a result as it is: UTF-8 whatever the locale, line ends untouched."""
        with files.writing(sys.stdout, STDOUT):
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
            sys.stdout.buffer.flush()

    def show_diff(self, text: str) -> None:
        """Print a diff, coloured for a terminal, byte for byte for everybody else."""
        self.out(diff.coloured(text) if self.uses_color(sys.stdout) else text)

    def say(self, message: str) -> None:
        """Print a note for the user, unless told to be quiet."""
        if not self.quiet:
            self.warn(message)

    def warn(self, message: str) -> None:
        """Print what the user must know."""
        print(f"diffill: {message}", file=sys.stderr, flush=True)

    def uses_color(self, stream: TextIO) -> bool:
        """Tell if a stream gets colours: `--color` decides, then NO_COLOR, then the terminal."""
        if self.color != "auto":
            return self.color == "always"
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return not plain and stream.isatty()

    def painter(self, stream: TextIO) -> Paint:
        """Return what gives a text the colours of a terminal, where a stream gets any."""
        if not self.uses_color(stream):
            return lambda text, style: text
        return lambda text, style: f"\x1b[{style}m{text}\x1b[0m" if text else ""

    @contextmanager
    def progress(self) -> Generator[Report]:
        """Show a bar on a terminal while the block runs; else one line per stage."""
        if self.quiet:
            yield _ignore
        elif sys.stderr.isatty():
            from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
            with Progress(*columns, console=self.console(), transient=True) as bars:
                task = bars.add_task("", total=None)

                def report(message: str, fraction: float | None) -> None:
                    if fraction is None:
                        bars.console.print(message, highlight=False, markup=False, soft_wrap=True)
                    description = message if len(message) < 50 else message[:48] + "…"
                    total = None if fraction is None else 1.0
                    bars.update(task, description=description, completed=fraction or 0, total=total)

                yield report
        else:
            said: set[str] = set()

            def line(message: str, fraction: float | None) -> None:
                if message not in said:
                    said.add(message)
                    self.say(message)

            yield line

    @contextmanager
    def working(self, what: str) -> Generator[Callable[[EngineStatus], None]]:
        """Show on a terminal that the engine loads or works; yields the listener to its status."""
        if self.quiet or not sys.stderr.isatty():
            yield lambda status: None
            return
        with self.console().status(what) as spinner:

            def on_status(status: EngineStatus) -> None:
                share = "" if status.fraction is None else f" {status.fraction:.0%}"
                spinner.update(what if status.state == "ready" else status.message + share)

            yield on_status

    def console(self) -> Console:
        """Return what draws on standard error."""
        from rich.console import Console

        return Console(stderr=True, no_color=not self.uses_color(sys.stderr))


def stats_line(stats: EditStats) -> str:
    """Say in one line what an edit cost."""
    speed = f", {stats.tokens / stats.seconds:.1f} tokens/s" if stats.seconds > 0 else ""
    return (
        f"{stats.steps} steps, {stats.forward_calls} forward calls, {stats.tokens} tokens, "
        f"{stats.seconds:.2f} s{speed}"
    )


def table(rows: list[tuple[str, ...]]) -> str:
    """Return rows as text in aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows)
    return "\n".join(lines) + "\n"


def _ignore(message: str, fraction: float | None) -> None:
    pass


def counted(number: int, noun: str) -> str:
    """Say how many of something there are."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
