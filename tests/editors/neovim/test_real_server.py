"""Diffill's own language server, with an engine that does what the file's first line says."""

import pytest
from raw_client import SERVER, script


def document(**settings):
    return script(**settings) + "first = 1\nx = 'é😀'\nlast = 1\n"


@pytest.fixture
def opened(editor):
    """Opens a file whose edits the server applies itself."""

    def open_(**settings):
        editor.lua("vim.g.diffill = { preview = { enabled = false } }")
        editor.open(document(**settings), server=SERVER)
        editor.nvim.current.window.cursor = (3, 0)
        return editor

    return open_


def filled(editor, new, **settings):
    return document(**settings).replace("x = 'é😀'", new)


def test_fill(opened):
    editor = opened(fill="x = 'ü'\n")
    editor.nvim.command("Diffill fill")
    editor.wait("vim.api.nvim_buf_get_lines(0, 2, 3, true)[1] == \"x = 'ü'\"")
    assert editor.text == filled(editor, "x = 'ü'", fill="x = 'ü'\n")
    editor.nvim.command("undo")
    assert editor.text == document(fill="x = 'ü'\n")


def test_rewrite_through_the_code_action_menu(opened):
    editor = opened()
    editor.lua("""
        vim.ui.select = function(items, opts, choose)
          for index, item in ipairs(items) do
            if opts.format_item(item):find("instruction") then return choose(item, index) end
          end
        end
        vim.ui.input = function(_, done) done("y = 2\\n") end""")
    editor.keys("Vgra")
    editor.wait("vim.api.nvim_buf_get_lines(0, 2, 3, true)[1] == 'y = 2'")
    assert editor.text == filled(editor, "y = 2")


def test_a_refusal_is_told(opened):
    editor = opened(mode="refuse")
    editor.nvim.command("Diffill fill")
    editor.wait_notice("unclosed '('")
    assert editor.text == document(mode="refuse")


def test_typing_in_the_line_while_it_is_filled_wins(opened):
    editor = opened(fill="x = 2", mode="wait")
    editor.lua("""
        vim.lsp.handlers["window/logMessage"] = function(_, params)
          Started = Started or params.message:find("started", 1, true) ~= nil
        end""")
    editor.nvim.command("Diffill fill")
    editor.wait("Started")
    editor.nvim.current.buffer[2] = "x = mine"
    editor.release()
    editor.wait_notice("changed meanwhile")
    assert editor.nvim.current.buffer[2] == "x = mine"


def test_cancel_reaches_the_engine(opened):
    editor = opened(mode="wait")
    editor.lua("""
        vim.lsp.handlers["window/logMessage"] = function(_, params)
          Started = Started or params.message:find("started", 1, true) ~= nil
          Cancelled = Cancelled or params.message:find("cancelled", 1, true) ~= nil
        end""")
    editor.nvim.command("Diffill fill")
    editor.wait("Started")
    editor.nvim.command("Diffill cancel")
    editor.wait("Cancelled")
    assert editor.text == document(mode="wait")
