import fcntl
import os
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from engine.catalogue import entry_of, find
from engine.fetch import fetch


@pytest.fixture(scope="session")
def model_file():
    """The default model, fetched into the user's cache if it is not there."""
    return find(None) or fetch(entry_of(None), lambda message, fraction: None)


def pytest_addoption(parser):
    parser.addoption("--update", action="store_true", help="write documents' shown output anew")


@pytest.fixture(autouse=True)
def engine_folder(monkeypatch):
    """A folder of each test's own for engines; those that run at its end are ended.

    What can be undone is kept there, too: `diffill undo` is for the user's own runs.
    """
    with tempfile.TemporaryDirectory(prefix="diffill-") as folder:
        monkeypatch.setenv("DIFFILL_RUNTIME", folder)
        monkeypatch.setenv("DIFFILL_STATE", f"{folder}/state")
        yield Path(folder)
        for lock in Path(folder).glob("*.lock"):
            _end(lock)


def _end(lock):
    with lock.open() as file:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with suppress(BlockingIOError):
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if pid := lock.read_text().strip():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            time.sleep(0.01)
    raise AssertionError(f"the engine of {lock} did not end")
