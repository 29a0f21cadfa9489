"""The plugin and Diffill's own server: previews, holes, ghost text; the engine is scripted."""

from neovim_editor import marks
from raw_client import SERVER, script

HOLES = "def one():\n    pass\n\n\ndef two():\n    pass\n"


def document(text, **settings):
    return script(**settings) + text


def open_(editor, text, **settings):
    editor.lua("vim.g.diffill = { ghost = { debounce_ms = 1 } }")
    editor.open(document(text, **settings), server=SERVER)
    return editor


def test_frames_then_a_proposal_then_one_undo_step(editor):
    fills = ["    return 1\n", "    return 2\n"]
    open_(editor, HOLES, fill=fills)
    editor.lua("""
        Frames, draw = 0, require("diffill.preview").chunks
        require("diffill.preview").chunks = function(...)
            Frames = Frames + 1
            return draw(...)
        end""")
    editor.nvim.command("Diffill fill_all")
    editor.wait_proposal()
    assert editor.lua("return Frames") >= 2
    assert editor.text == document(HOLES, fill=fills)
    assert "    return 1" in editor.screen() and "    return 2" in editor.screen()
    editor.nvim.command("Diffill accept")
    filled = HOLES.replace("    pass", "    return 1", 1).replace("    pass", "    return 2")
    assert editor.text == document(filled, fill=fills)
    editor.nvim.command("undo")
    assert editor.text == document(HOLES, fill=fills)


def test_a_refusal_leaves_nothing_behind(editor):
    open_(editor, HOLES, mode="refuse")
    editor.nvim.current.window.cursor = (3, 4)
    editor.nvim.command("Diffill fill")
    editor.wait_notice("unclosed '('")
    assert editor.lua(f"return {marks('preview')}") == 0


def test_an_edit_moved_by_typing_elsewhere_is_proposed_where_it_belongs(editor):
    open_(editor, HOLES, mode="wait", fill="    return 1\n")
    editor.lua("""
        vim.lsp.handlers["window/logMessage"] = function(_, params)
          Started = Started or params.message:find("started", 1, true) ~= nil
        end""")
    editor.nvim.current.window.cursor = (3, 4)
    editor.nvim.command("Diffill fill")
    editor.wait("Started")
    editor.nvim.current.buffer[1:1] = ["import os", ""]
    # Any message flushes what was typed to the server.
    editor.release()
    editor.wait_proposal()
    editor.nvim.command("Diffill accept")
    assert editor.text == document(
        "import os\n\n" + HOLES.replace("    pass", "    return 1", 1),
        mode="wait",
        fill="    return 1\n",
    )


def test_ghost_text(editor):
    open_(editor, "x = \n", fill="first(2)")
    editor.nvim.current.window.cursor = (2, 3)
    editor.keys("A")
    editor.wait(f"{marks('ghost')} > 0")
    assert editor.screen()[1] == "x = first(2)"
    assert editor.lua("return require('diffill').accept()") is True
    assert editor.text == document("x = first(2)\n", fill="first(2)")


def test_a_code_lens_is_run_as_a_preview(editor):
    open_(editor, HOLES, fill=["    return 1\n", "    return 2\n"])
    editor.lua("""
        local client = vim.lsp.get_clients()[1]
        local buf = vim.api.nvim_get_current_buf()
        local params = { textDocument = vim.lsp.util.make_text_document_params(buf) }
        local answer = client:request_sync("textDocument/codeLens", params, 9000, buf)
        client:exec_cmd(answer.result[1].command, { bufnr = buf })""")
    editor.wait_proposal()
    assert "    return 2" in editor.screen()


def test_the_status_of_a_file_that_is_left_alone(editor):
    (editor.folder / ".diffillignore").write_text("mine.py\n")
    open_(editor, HOLES)
    assert editor.lua("return require('diffill').status()") == "Diffill"
    editor.open(HOLES, "mine.py", server=SERVER)
    editor.wait("require('diffill').status() == 'Diffill: off'")
    editor.nvim.command("Diffill status")
    assert "the file is listed in .diffillignore" in editor.notices[-1]
    editor.nvim.command("Diffill fill")
    editor.wait_notice("Diffill leaves it alone")
    editor.nvim.command("buffer 1")
    editor.wait("require('diffill').status() == 'Diffill'")
