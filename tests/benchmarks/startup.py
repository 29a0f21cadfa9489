"""How long a user waits at the start: the engine, the language server, the command line."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

from engine.client import engine_command
from tests.benchmarks.contenders import ROOT, AbsentError
from tests.benchmarks.samples import BASELINE
from tests.benchmarks.suite import Loaded, Suite
from tests.support.raw_client import raw_client

_SCRIPT = Path(sys.executable).with_name("diffill")


async def commands(suite: Suite) -> None:
    """Start the language server up to its answer to `initialize`, and ask for help.

    Raises:
        AbsentError: if the command is not installed beside this Python.
    """
    if not _SCRIPT.exists():
        raise AbsentError(f"the command `diffill` is not beside {sys.executable}: pip install .")
    for number in range(-1, suite.options.starts):
        suite.tell(f"start-up of the commands: {max(number, 0) + 1} of {suite.options.starts}")
        began = time.perf_counter()
        async with raw_client(server=[str(_SCRIPT), "lsp"]) as client:
            await client.initialize(rootUri=ROOT.as_uri())
            answered = time.perf_counter() - began
        began = time.perf_counter()
        subprocess.run([_SCRIPT, "--help"], check=True, stdout=subprocess.DEVNULL)
        helped = time.perf_counter() - began
        _add(suite, "the language server's `initialize`", number, answered)
        _add(suite, "`diffill --help`", number, helped)


async def engine(suite: Suite, loaded: Loaded) -> None:
    """Start the engine until it is ready, its files in the disk's cache.

    Raises:
        AbsentError: if it ends before.
    """
    for number in range(-1, suite.options.starts):
        suite.tell(f"start-up of the engine: {max(number, 0) + 1} of {suite.options.starts}")
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(suite.command or engine_command(str(loaded.local.path))),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin and process.stdout
        state = ""
        while state != "ready":
            line = await process.stdout.readline()
            if not line:
                raise AbsentError("the engine ended before it was ready")
            state = json.loads(line)["state"]
        _add(suite, "engine ready, warm disk", number, time.perf_counter() - began)
        process.stdin.close()
        await process.wait()


def _add(suite: Suite, what: str, number: int, seconds: float) -> None:
    """Add a start; the one before the first fills the disk's cache and is not counted."""
    if number >= 0:
        suite.add(
            part="start", what=what, case=str(number), run=0, engine=BASELINE, seconds=seconds
        )
