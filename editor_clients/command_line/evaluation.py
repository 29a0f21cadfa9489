"""`diffill eval`: measure edits, in a process of its own, for torch stays out of this one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from editor_clients.command_line.engines import ensure_model
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.screen import Screen


def run(arguments: Sequence[str], files: Sequence[Path], model: str | None) -> int:
    """Pass the arguments on, the model at hand, and return the evaluation's exit code.

    `files` are those the arguments name: without them no model is fetched.
    """
    for path in files:
        if not path.exists():
            raise Stop(Exit.USAGE, f"{path} does not exist: no cases there")
    if not files:
        raise Stop(
            Exit.USAGE, "nothing to evaluate: give files of cases, sources by --held, or --edits"
        )
    ensure_model(model, Screen())
    command = [sys.executable, "-P", "-m", "engine.evaluation", *arguments]
    with subprocess.Popen(command) as child:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the terminal has told the child, too: let it end by itself
            return child.wait()
