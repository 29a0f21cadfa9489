import shutil
from pathlib import Path

import pytest

from editor_clients import command_line

SAMPLES = Path(command_line.__file__).parent / "samples"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder of sample files, which is the working directory."""
    for name in ("prices.py", "average.ts"):
        shutil.copy(SAMPLES / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
