"""`--check-cmd`: a command of the user that must succeed before a written edit is kept."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass

from editor_clients.command_line import files
from editor_clients.command_line.exits import Exit, Stop

_FILE = "{file}"
_SHOWN_LINES = 5


@dataclass(frozen=True, slots=True)
class CheckCommand:
    """A command, split as a shell would, run without one."""

    words: tuple[str, ...]
    timeout_s: float

    @classmethod
    def parse(cls, source: str, timeout_s: float) -> CheckCommand:
        """Split a command line.

        Raises:
            Stop: if it is empty, a quote is not closed, or there is no such program.
        """
        try:
            words = shlex.split(source)
        except ValueError as error:
            raise Stop(Exit.USAGE, f"--check-cmd: {str(error).lower()}") from error
        if not words:
            raise Stop(Exit.USAGE, "--check-cmd: the command is empty")
        if not shutil.which(words[0]):
            raise Stop(Exit.USAGE, f"--check-cmd: {words[0]}: no such command")
        return cls(tuple(words), timeout_s)

    @property
    def is_per_file(self) -> bool:
        """Whether it names the file, and so is run for each; else once, for all of them."""
        return any(_FILE in word for word in self.words)

    def failure(self, name: str = "") -> str:
        """Run it, for a file if it takes one; return why it failed, "" if it did not.

        Raises:
            Stop: if it cannot be started.
        """
        command = [word.replace(_FILE, name) for word in self.words]
        try:
            # A group of its own, so that its children end with it.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise Stop(Exit.USAGE, f"--check-cmd: {command[0]}: {files.why(error)}") from error
        with process:
            try:
                out, _ = process.communicate(timeout=self.timeout_s)
            except subprocess.TimeoutExpired:
                _kill(process)
                return f"`{shlex.join(command)}` took more than {self.timeout_s:g} s"
            except BaseException:
                _kill(process)
                raise
        if not process.returncode:
            return ""
        said = out.decode(errors="replace").strip().splitlines()[-_SHOWN_LINES:]
        tail = "".join(f"\n    {line}" for line in said)
        return f"`{shlex.join(command)}` ended with exit code {process.returncode}{tail}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
