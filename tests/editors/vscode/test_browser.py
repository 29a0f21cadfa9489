"""The extension in code-server: `install.sh DIR`, then `DIFFILL_BROWSER=DIR pytest` this file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from raw_client import ROOT, SUPPORT

BASE = os.environ.get("DIFFILL_BROWSER", "")
SOURCE = ROOT / "editor_clients" / "vscode"
HERE = Path(__file__).parent


@pytest.fixture
def node(monkeypatch):
    if not BASE:
        pytest.skip("DIFFILL_BROWSER names no folder made by tests/editors/vscode/install.sh")
    monkeypatch.setenv("PATH", f"{BASE}/bin", prepend=os.pathsep)
    return Path(BASE, "bin", "node")


@pytest.fixture
def extension(node, tmp_path):
    """The folder of the built extension, without what is not shipped."""
    if not (SOURCE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=SOURCE, check=True, timeout=300)
    for step in ("check", "build", "test"):
        subprocess.run(["npm", "run", step], cwd=SOURCE, check=True, timeout=300)
    folder = tmp_path / "extension"
    shutil.copytree(SOURCE / "media", folder / "media")
    shutil.copy(SOURCE / "package.json", folder)
    (folder / "dist").mkdir()
    shutil.copy(SOURCE / "dist" / "extension.js", folder / "dist")
    return folder


def test_in_the_real_editor(node, extension, tmp_path):
    out = Path(os.environ.get("DIFFILL_SCREENSHOTS", tmp_path / "out")).resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    program = tmp_path / "diffill"
    program.write_text(
        f"#!/bin/sh\necho $$ >> {out}/pids\nexport PYTHONPATH={ROOT}\n"
        f"exec {sys.executable} -P {SUPPORT}/scripted_server.py\n"
    )
    program.chmod(0o755)
    command = [node, HERE / "scripted.mjs", BASE, extension, program, out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
