"""The extension in code-server.

Run `bash tests/editors/install.sh DIR`, then `DIFFILL_BROWSER=DIR pytest` on this file.
"""

import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from raw_client import ROOT, SERVER, environment

BASE = os.environ.get("DIFFILL_BROWSER", "")
SOURCE = ROOT / "editor_clients" / "vscode"
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def node():
    if not BASE:
        pytest.skip("DIFFILL_BROWSER names no folder made by tests/editors/install.sh")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{BASE}/bin", prepend=os.pathsep)
        yield Path(BASE, "bin", "node")


@pytest.fixture(scope="module")
def extension(tmp_path_factory, node):
    """The folder of the extension, checked, unit-tested and packaged as the README says."""
    if not (SOURCE / "node_modules").exists():
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=SOURCE, check=True, timeout=300)
    for step in ("test", "package"):
        subprocess.run(["npm", "run", step], cwd=SOURCE, check=True, timeout=300)
    package = SOURCE / "diffill.vsix"
    assert package.stat().st_size < 25_000_000
    folder = tmp_path_factory.mktemp("package")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    return folder / "extension"


@pytest.fixture
def in_editor(node, extension, tmp_path):
    """Run a script beside this file with the program that is the server, or "" for none."""

    def run(name, server, **env):
        kept = os.environ.get("DIFFILL_SCREENSHOTS")
        out = Path(kept, name).resolve() if kept else tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        command = [node, HERE / f"{name}.mjs", BASE, extension, server, out]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=900, env=environment() | env
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.mark.parametrize("name", ["scripted", "several"])
def test_in_the_real_editor(in_editor, tmp_path, name):
    program = tmp_path / "diffill"
    log = shlex.quote(str(tmp_path / "pids"))
    program.write_text(f'#!/bin/sh\necho $$ >> {log}\nexec {shlex.join(SERVER)} "$@"\n')
    program.chmod(0o755)
    in_editor(name, program, PIDS=str(tmp_path / "pids"))


@pytest.mark.model
def test_the_first_steps_with_the_real_model(in_editor, model_file):
    # Of what pip installs, Diffill alone: the rest, a gigabyte, is that of these tests.
    packages = os.pathsep.join(path for path in sys.path if "site-packages" in path)
    path = f"{sys.base_prefix}/bin:/usr/bin:/bin"
    in_editor("model", "", PATH=path, PYTHONPATH=packages, PIP_NO_DEPS="1")
