"""The extension in code-server: `install.sh DIR`, then `DIFFILL_BROWSER=DIR pytest` this file."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from raw_client import ROOT, SERVER, environment

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


@pytest.fixture
def in_editor(node, extension, tmp_path):
    """Run a script beside this file with a server, which tells its process id."""

    def run(name, server):
        kept = os.environ.get("DIFFILL_SCREENSHOTS")
        out = Path(kept, name).resolve() if kept else tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        program = tmp_path / "diffill"
        program.write_text(f'#!/bin/sh\necho $$ >> {out}/pids\nexec {shlex.join(server)} "$@"\n')
        program.chmod(0o755)
        command = [node, HERE / f"{name}.mjs", BASE, extension, program, out]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=900, env=environment()
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def test_in_the_real_editor(in_editor):
    in_editor("scripted", SERVER)


@pytest.mark.model
def test_with_the_real_model(in_editor, model_file):
    in_editor("model", [str(Path(sys.executable).with_name("diffill"))])
