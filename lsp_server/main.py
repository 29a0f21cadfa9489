"""`diffill lsp`: the server on standard input and output."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from engine.client import EngineClient, OnStatus
    from lsp_server.server import Server


def run(model: str | None) -> int:
    """Serve one client and return the exit code; `create_server` says what `model` is."""
    stdout = claim_stdout()
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    # At level INFO pygls logs every message it sends, the user's code included.
    logging.getLogger("pygls").setLevel(logging.WARNING)
    if strangers := misplaced_packages():
        logging.error(
            "%s: not the one installed with Diffill; start the server with the `diffill` script, "
            "installed by pipx or uv",
            ", ".join(strangers),
        )
        return 2

    gc.disable()  # it would look for garbage among thousands of new classes, again and again
    # Imported only now: a stranger's `engine` must not run before it is found out.
    from engine.client import open_engine
    from lsp_server.server import create_server

    def engine(chosen: str | None, on_status: OnStatus) -> EngineClient:
        return open_engine(chosen, on_status)

    server = create_server(engine, model)
    gc.freeze()  # these classes stay: a full collection need not hold up a key stroke for them
    gc.enable()
    return serve(server, stdout)


def serve(server: Server, stdout: BinaryIO) -> int:
    """Run a server on standard input until the client ends it."""
    # The default action, not KeyboardInterrupt: the thread that reads stdin could not be ended.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        asyncio.run(server.serve(sys.stdin.buffer, stdout))
    except SystemExit as end:
        return int(end.code or 0)
    return 1  # the client went away without a word


def claim_stdout() -> BinaryIO:
    """Return standard output for the protocol alone; what else is printed goes to stderr.

    File descriptor 1 is moved, not only `sys.stdout`: C libraries print, too.
    """
    sys.stdout.flush()
    stdout = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return stdout


def misplaced_packages() -> list[str]:
    """Return which of our packages Python would take from elsewhere than this package's folder.

    Their names are common ones: started with the user's project on the module path, the server
    would run that project's code.
    """
    home = Path(__file__).resolve().parent.parent
    return [name for name in ("engine", "grammars") if _folder_of(name) != home / name]


def _folder_of(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).resolve().parent if spec and spec.origin else None
