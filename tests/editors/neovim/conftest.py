"""A real Neovim, headless, with a home of its own."""

import contextlib
import sys
from pathlib import Path

import pynvim
import pytest
from neovim_editor import PLUGIN, Editor
from raw_client import ROOT


@pytest.fixture
def editor(tmp_path, monkeypatch):
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = Path(sys.executable).parent / "nvim"
    argv = [str(program), "--embed", "--headless", "--clean", "-n"]
    nvim = pynvim.attach("child", argv=argv)
    nvim.exec_lua(
        """
        vim.opt.runtimepath:prepend(...)
        vim.g.loaded_python3_provider = 0 -- looking for it takes two seconds
        vim.o.columns, vim.o.lines = 100, 30
        Notices, Seen = {}, {}
        vim.notify = function(message) table.insert(Notices, message) end
        vim.lsp.handlers["test/seen"] = function(_, seen) table.insert(Seen, seen) end
        vim.cmd.runtime("plugin/diffill.lua")""",
        str(PLUGIN),
    )
    folder = tmp_path / "project"
    folder.mkdir()
    yield Editor(nvim, folder)
    with contextlib.suppress(OSError, EOFError):  # it ends before it answers
        nvim.command("qa!")
    nvim.close()
