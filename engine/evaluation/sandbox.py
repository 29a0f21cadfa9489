"""Run what a model wrote, where it can do no harm: bubblewrap around a Python with hard limits.

No network, no file that can be written, no environment, its own process tree. The interpreter is
the one that runs Diffill, read-only, without its packages.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError

_INSTALL = "apt install bubblewrap, dnf install bubblewrap or pacman -S bubblewrap"

# Reads the marker and the program, sets the limits where they bind the program alone, and writes
# the marker only once the program has run to its end: leaving early, with any exit code, is no
# pass. What the program prints goes nowhere.
_RUNNER = """
import os, resource, sys
memory, cpu = map(int, sys.argv[1:])
marker, _, source = sys.stdin.buffer.read().partition(b"\\n")
out = os.dup(1)
null = os.open(os.devnull, os.O_RDWR)
for fd in (0, 1, 2):
    os.dup2(null, fd)
for limit, value in (
    (resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, cpu), (resource.RLIMIT_FSIZE, 1 << 16),
    (resource.RLIMIT_NPROC, 16), (resource.RLIMIT_NOFILE, 64), (resource.RLIMIT_CORE, 0),
):
    resource.setrlimit(limit, (value, value))
exec(compile(source, "<case>", "exec"), {"__name__": "__main__"})
os.write(out, marker)
"""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Bubblewrap, known to work here; see `find_sandbox`."""

    bwrap: str
    options: tuple[str, ...] = ()
    timeout_s: float = 10.0
    cpu_s: int = 5
    memory_bytes: int = 1 << 30

    def passes(self, program: str) -> bool:
        """Tell whether a Python program runs to its end without an error."""
        marker = secrets.token_hex(16).encode()
        with tempfile.TemporaryFile() as out:
            try:
                self._run(marker + b"\n" + program.encode("utf-8", "replace"), out.fileno())
            except subprocess.TimeoutExpired:
                return False
            out.seek(0)
            return out.read(len(marker) + 1) == marker

    def _run(self, source: bytes, out: int) -> None:
        subprocess.run(
            [*self._command(), "-c", _RUNNER, str(self.memory_bytes), str(self.cpu_s)],
            input=source,
            stdout=out,
            stderr=subprocess.DEVNULL,
            timeout=self.timeout_s,
            check=False,
        )

    def _command(self) -> list[str]:
        interpreter = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
        home = Path(sys.base_prefix).resolve()
        command = [self.bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
        command += ["--cap-drop", "ALL", *self.options]
        for folder in ("/usr", "/lib", "/lib64", "/lib32"):
            command += ["--ro-bind-try", folder, folder]
        if not home.is_relative_to("/usr"):
            command += ["--ro-bind", str(home), str(home)]
        # A namespace begins with an empty disk in memory, open to writing unless told otherwise.
        command += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--remount-ro", "/"]
        return [*command, "--chdir", "/", str(interpreter), "-I", "-B"]


def find_sandbox() -> Sandbox:
    """Return a sandbox that has run an empty program.

    Raises:
        ConfigError: if there is none, with how to get one; there is no running without.
    """
    bwrap = shutil.which("bwrap")
    if not bwrap:
        raise ConfigError(
            f"the cases' tests run what a model wrote, so they need bubblewrap (Linux): {_INSTALL}"
        )
    known = subprocess.run([bwrap, "--help"], capture_output=True, text=True, check=False)
    newer = ("--unshare-user", "--disable-userns")  # since bubblewrap 0.8
    sandbox = Sandbox(bwrap, newer if newer[1] in known.stdout + known.stderr else ())
    if not sandbox.passes("pass"):
        raise ConfigError(
            f"{bwrap} cannot open a sandbox here; it needs user namespaces, which this system or "
            "container may bar, and nothing a model wrote is run without it"
        )
    return sandbox
