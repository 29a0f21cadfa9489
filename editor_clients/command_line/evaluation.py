"""`diffill eval`: measure the fills, in a process of its own, for torch stays out of this one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from editor_clients.command_line.engines import ensure_model
from editor_clients.command_line.screen import Screen


def run(arguments: Sequence[str], model: str | None) -> int:
    """Pass the arguments on, the model at hand, and return the evaluation's exit code."""
    ensure_model(model, Screen())
    command = [sys.executable, "-P", "-m", "engine.evaluation", *arguments]
    with subprocess.Popen(command) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the terminal has told the child, too: let it end by itself
            return child.wait()
