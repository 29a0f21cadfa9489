"""Commands of the user that decide whether a written edit is kept.

`--check-cmd` must succeed. `--lint-cmd` may fail, but must not find what it did not find before.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from editor_clients.command_line import diagnostics, files
from editor_clients.command_line.exits import Exit, Stop

_FILE = "{file}"
_SHOWN_LINES = 5
_NUMBER = re.compile(r"\d+")  # a message may name other lines, which the edit has moved


def split(command: str) -> list[str]:
    """Split a command line as a shell would.

    Raises:
        ValueError: if it is empty, or a quote is not closed.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(str(error).lower()) from error
    if not words:
        raise ValueError("the command is empty")
    return words


@dataclass(frozen=True, slots=True)
class Command:
    """A command, split as a shell would, run without one."""

    option: str  # where the user wrote it
    words: tuple[str, ...]
    timeout_s: float

    @classmethod
    def parse(cls, option: str, source: str, timeout_s: float) -> Command:
        """Split a command line.

        Raises:
            Stop: if it is empty, a quote is not closed, or there is no such program.
        """
        try:
            words = split(source)
        except ValueError as error:
            raise Stop(Exit.USAGE, f"{option}: {error}") from error
        if not shutil.which(words[0]):
            raise Stop(Exit.USAGE, f"{option}: {words[0]}: no such command")
        return cls(option, tuple(words), timeout_s)

    @property
    def is_per_file(self) -> bool:
        """Whether it names the file, and so is run for each; else once, for all of them."""
        return any(_FILE in word for word in self.words)

    def shown(self, name: str) -> str:
        """Return it as the user could have typed it."""
        return shlex.join(self._of(name))

    def run(
        self, name: str = "", stdin: bytes = b"", *, with_errors: bool = True
    ) -> tuple[int, bytes]:
        """Run it, for a file if it takes one; return its exit code and output.

        Raises:
            Stop: if it cannot be started.
            TimeoutError: if it took too long; it was ended.
        """
        command = self._of(name)
        try:
            # A group of its own, so that its children end with it.
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if with_errors else subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise Stop(Exit.USAGE, f"{self.option}: {command[0]}: {files.why(error)}") from error
        with process:
            try:
                out, _ = process.communicate(stdin, timeout=self.timeout_s)
            except subprocess.TimeoutExpired as error:
                _kill(process)
                what = f"`{shlex.join(command)}` took more than {self.timeout_s:g} s"
                raise TimeoutError(what) from error
            except BaseException:
                _kill(process)
                raise
        return process.returncode, out

    def _of(self, name: str) -> list[str]:
        return [word.replace(_FILE, name) for word in self.words]


class Check(Protocol):
    """Says of a written file, or of all of them, whether the edit may stay."""

    @property
    def is_per_file(self) -> bool:
        """Whether it is asked for each file; else once, for all of them."""
        ...

    def begin(self, name: str = "") -> Callable[[], str]:
        """Look at the old state; what is returned says why the new one must not stay, or "".

        Raises:
            Stop: if the command cannot be run.
        """
        ...

    def excuse(self, name: str = "") -> str:
        """Say, once the edit was taken back, whether it was to blame at all."""
        ...


@dataclass(frozen=True, slots=True)
class MustSucceed:
    """`--check-cmd`."""

    command: Command

    @property
    def is_per_file(self) -> bool:
        """See `Check`."""
        return self.command.is_per_file

    def begin(self, name: str = "") -> Callable[[], str]:
        """See `Check`; the old state does not matter."""
        return lambda: self._failure(name)

    def excuse(self, name: str = "") -> str:
        """See `Check`."""
        return "\n    (it fails without the edit, too)" if self._failure(name) else ""

    def _failure(self, name: str) -> str:
        try:
            code, out = self.command.run(name)
        except TimeoutError as error:
            return str(error)
        if not code:
            return ""
        said = out.decode(errors="replace").strip().splitlines()[-_SHOWN_LINES:]
        tail = "".join(f"\n    {line}" for line in said)
        return f"`{self.command.shown(name)}` ended with exit code {code}{tail}"


@dataclass(frozen=True, slots=True)
class NothingNew:
    """`--lint-cmd`: compares findings by file and message, wherever the lines went."""

    command: Command

    @property
    def is_per_file(self) -> bool:
        """See `Check`."""
        return self.command.is_per_file

    def begin(self, name: str = "") -> Callable[[], str]:
        """See `Check`."""
        before = self._findings(name)

        def failure() -> str:
            try:
                new = self._findings(name) - before
            except Stop as error:
                return str(error)
            told = [f"{os.path.relpath(file)}: {message}" for file, message in new]
            more = f"\n    and {len(told) - _SHOWN_LINES} more" if len(told) > _SHOWN_LINES else ""
            lines = "".join(f"\n    {line}" for line in told[:_SHOWN_LINES])
            return f"`{self.command.shown(name)}` finds something new{lines}{more}" if new else ""

        return failure

    def excuse(self, name: str = "") -> str:
        """See `Check`: an edit is only blamed for what is new."""
        return ""

    def _findings(self, name: str) -> Counter[tuple[str, str]]:
        code = 0
        try:
            code, out = self.command.run(name, with_errors=False)
            found = diagnostics.findings_of(out if out or not code else b"{}")
        except TimeoutError as error:
            raise Stop(Exit.REFUSED, str(error)) from error
        except ValueError as error:
            shown = self.command.shown(name)
            raise Stop(
                Exit.USAGE, f"--lint-cmd: `{shown}` (exit code {code}) does not print {error}"
            ) from error
        return Counter((os.path.realpath(one.file), _NUMBER.sub("…", one.message)) for one in found)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
