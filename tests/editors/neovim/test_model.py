"""The plugin, the server and the real model."""

import os
import sys
from pathlib import Path

import pytest
from neovim_editor import marks
from raw_client import environment

pytestmark = pytest.mark.model

SERVER = [str(Path(sys.executable).with_name("diffill")), "lsp"]
CACHE = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))  # where the model is
DOUBLE = 'def double(number):\n    """Return twice the number."""\n    pass\n'
HALF = 'def half(number):\n    """Return half of the number."""\n    pass\n'
TEXT = f"{DOUBLE}\n\n{HALF}"
RUNNING = "(require('diffill.session').of(vim.fn.bufnr()) or {}).state == 'running'"


@pytest.fixture
def opened(editor, model_file):
    editor.patience_s = 120.0
    for name, value in (environment() | {"XDG_CACHE_HOME": CACHE}).items():
        editor.lua("vim.env[...] = select(2, ...)", name, value)
    editor.open(TEXT, server=SERVER)
    return editor


def proposed_lines(editor):
    """What stands on the screen below the text to be replaced, place by place."""
    rows = editor.screen()
    return [rows[at + 1] for at, row in enumerate(rows) if row.startswith("    pass")]


def test_edits(opened):
    editor, buffer = opened, opened.nvim.current.buffer
    editor.nvim.current.window.cursor = (3, 4)
    editor.nvim.command("Diffill fill")
    editor.wait(RUNNING)
    editor.nvim.command("Diffill cancel")
    assert editor.lua(f"return {RUNNING}") is False
    assert editor.lua(f"return {marks('preview')}") == 0

    editor.nvim.command("Diffill fill")
    editor.wait_proposal()
    (seen,) = proposed_lines(editor)[:1]
    assert "return" in seen, editor.screen()
    assert editor.text == TEXT
    editor.nvim.command("Diffill accept")
    assert editor.text == TEXT.replace("    pass", seen, 1)
    editor.nvim.command("undo")
    assert editor.text == TEXT

    editor.nvim.command("Diffill fill_all")
    editor.wait_proposal()
    first, second = proposed_lines(editor)
    editor.nvim.command("Diffill accept")
    filled = DOUBLE.replace("    pass", first) + "\n\n" + HALF.replace("    pass", second)
    assert editor.text == filled
    editor.nvim.command("undo")
    assert editor.text == TEXT

    editor.nvim.command("Diffill fill")
    editor.wait(RUNNING)
    buffer[2] = "    pass  # mine"
    editor.wait_notice("changed meanwhile")
    assert editor.text == TEXT.replace("    pass", "    pass  # mine", 1)
    editor.nvim.command("undo")

    editor.nvim.command("1,3Diffill rewrite Rename the parameter to value.")
    editor.wait_proposal()
    editor.nvim.command("Diffill accept")
    assert "def double(value):" in editor.text
    assert editor.text.endswith(HALF)


def test_ghost_text(opened):
    editor = opened
    begun = "def area(width: int, height: int) -> int:\n"
    editor.nvim.current.buffer[:] = begun.split("\n")
    editor.nvim.current.window.cursor = (2, 0)

    def type_until_shown(text):
        """On a busy machine ghost text may miss its deadline; typing on asks again."""
        editor.keys("<Esc>0C" + text[:-1])
        editor.lua("Shown = function() return " + marks("ghost") + " > 0 end")
        for _ in range(6):
            editor.keys(text[-1])
            if editor.lua("return vim.wait(20000, function() return Shown() end, 5)"):
                return editor.screen()[1]
            editor.keys("<BS>")
        raise AssertionError(f"no ghost text: {editor.screen()} {editor.notices}")

    seen = type_until_shown("    return ")
    assert seen.startswith("    return ") and len(seen) > len("    return ")
    assert editor.text == begun + "    return \n"
    assert editor.lua("return require('diffill').accept('word')") is True
    part = editor.nvim.current.line
    assert seen.startswith(part) and len(part) > len("    return ")
    assert editor.screen()[1] == seen, "the rest is still shown"
    editor.lua("require('diffill').accept('line')")
    assert editor.text == begun + seen + "\n"

    seen = type_until_shown("    return ")
    assert editor.lua("return require('diffill').accept()") is True
    assert editor.text == begun + seen + "\n"

    # Typed in full, nothing is left to be shown or accepted.
    seen = type_until_shown("    return ")
    editor.keys(seen.removeprefix("    return "))
    editor.wait(f"vim.api.nvim_get_current_line() == a[1] and {marks('ghost')} == 0", seen)
    assert editor.lua("return require('diffill').accept()") is False


def test_health(opened):
    opened.nvim.command("checkhealth diffill")
    assert "ERROR" not in opened.text
    assert "is running" in opened.text
