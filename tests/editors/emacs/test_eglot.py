"""A client without a plugin: Emacs' eglot, set up as the README says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from raw_client import ROOT, SERVER, environment, script

EMACS = shutil.which("emacs") or ""
DRIVER = Path(__file__).with_name("driver.el")
HOLES = "def one():\n    pass\n\n\ndef two():\n    pass\n"

pytestmark = pytest.mark.skipif(
    not EMACS, reason="needs Emacs with eglot: tests/editors/install.sh"
)


@pytest.fixture
def emacs(tmp_path, monkeypatch):
    """Take an action in a file; return what was said, the file's text, and that undone once."""
    (setup,) = re.findall(r"```elisp\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "setup.el").write_text(setup)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def run(text, line, action, server):
        program = tmp_path / "diffill"
        program.write_text(f'#!/bin/sh\nexec {" ".join(server)} "$@"\n')
        program.chmod(0o755)
        file = tmp_path / "sample.py"
        file.write_text(text)
        command = [EMACS, "-Q", "--batch", "-l", DRIVER, tmp_path / "setup.el", file, line, action]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        undone = file.with_name("sample.py.undone")
        return done.stderr, file.read_text(), undone.read_text() if undone.exists() else None

    return run


def test_a_hole_is_filled_and_undone(emacs):
    text = script(fill="    return 'é😀'\n") + HOLES
    said, filled, undone = emacs(text, "3", "fill this hole", SERVER)
    assert filled == text.replace("pass", "return 'é😀'", 1), said
    assert undone == text


def test_all_holes_are_one_undo_step(emacs):
    text = script(fill=["    return 1\n", "    return 2\n"]) + HOLES
    said, filled, undone = emacs(text, "3", "fill all 2 holes", SERVER)
    assert filled == text.replace("pass", "return 1", 1).replace("pass", "return 2"), said
    assert undone == text


def test_a_refused_edit_is_told(emacs):
    text = script(mode="refuse") + HOLES
    said, filled, _ = emacs(text, "3", "fill this hole", SERVER)
    assert "unclosed '('" in said
    assert filled == text


@pytest.mark.model
def test_the_real_model(emacs, model_file):
    text = (ROOT / "editor_clients/command_line/samples/prices.py").read_text("utf-8")
    line = text[: text.index("raise")].count("\n") + 1
    server = [str(Path(sys.executable).with_name("diffill"))]
    said, filled, undone = emacs(text, str(line), "fill this hole", server)
    assert "return max(" in filled, said
    compile(filled, "sample.py", "exec")
    assert undone == text
