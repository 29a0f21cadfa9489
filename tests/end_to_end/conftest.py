import shutil
from pathlib import Path

import pytest

from editor_clients import command_line
from engine.catalogue import entry_of, find
from engine.fetch import fetch

SAMPLES = Path(command_line.__file__).parent / "samples"


@pytest.fixture(scope="session")
def model_file():
    """The default model, fetched into the user's cache if it is not there."""
    return find(None) or fetch(entry_of(None), lambda message, fraction: None)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of sample files, which is the working directory."""
    for name in ("prices.py", "average.ts"):
        shutil.copy(SAMPLES / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
