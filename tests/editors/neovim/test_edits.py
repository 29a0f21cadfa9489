"""Edits asked for by the user, with a preview: shown, accepted, rejected, stale, cancelled."""

import pytest
from neovim_editor import edit

TEXT = "def one():\n    pass\n\n\ndef two():\n    pass\n"
FILLED = "def one():\n    return 1\n\n\ndef two():\n    return 2\n"
HOLES = [edit(1, 4, 1, 8, "return 1"), edit(5, 4, 5, 8, "return 2")]
HINT = "   :Diffill accept or :Diffill reject, or each `here`"


@pytest.fixture
def opened(editor):
    editor.open(TEXT)
    return editor


@pytest.fixture
def proposed(opened):
    """Two holes, filled but not yet accepted."""
    opened.script(edits=HOLES)
    opened.nvim.command("Diffill fill_all")
    opened.wait_proposal()
    return opened


def command(editor):
    (argument,) = editor.wait_seen("workspace/executeCommand")["arguments"]
    return argument


def test_a_proposal_is_shown_and_changes_nothing(proposed):
    assert proposed.screen()[:8] == [
        "def one():",
        f"    pass{HINT}",
        "    return 1",
        "",
        "",
        "def two():",
        "    pass",
        "    return 2",
    ]
    assert proposed.text == TEXT
    assert command(proposed).items() >= {"version": 0, "apply": False}.items()


def test_several_holes_are_one_undo_step(proposed):
    proposed.nvim.current.window.cursor = (5, 3)
    proposed.nvim.command("Diffill accept")
    assert proposed.text == FILLED
    assert proposed.nvim.current.window.cursor == (5, 3)
    assert proposed.screen()[:2] == ["def one():", "    return 1"]
    proposed.nvim.command("undo")
    assert proposed.text == TEXT
    proposed.nvim.command("redo")
    assert proposed.text == FILLED


def test_of_several_places_each_is_accepted_or_rejected(proposed):
    proposed.nvim.current.window.cursor = (4, 0)
    proposed.nvim.command("Diffill accept here")
    head, tail = TEXT.split("\n\n\n")
    assert proposed.text == f"{head}\n\n\n{tail.replace('pass', 'return 2')}"
    assert proposed.screen()[:3] == [
        "def one():",
        "    pass   :Diffill accept or :Diffill reject",
        "    return 1",
    ]
    proposed.nvim.command("Diffill reject here")
    assert "return 1" not in "".join(proposed.screen())
    proposed.nvim.command("Diffill accept here")
    assert proposed.notices[-1] == "Diffill: there is nothing to accept"
    proposed.nvim.command("undo")
    assert proposed.text == TEXT


def test_all_that_is_left_is_accepted_where_it_stands(proposed):
    proposed.nvim.current.window.cursor = (1, 0)
    proposed.nvim.command("Diffill reject here")
    proposed.nvim.current.buffer[0:0] = ["import os"]
    proposed.nvim.command("Diffill accept")
    head, tail = TEXT.split("\n\n\n")
    assert proposed.text == f"import os\n{head}\n\n\n{tail.replace('pass', 'return 2')}"


def test_places_of_one_line_go_together(opened):
    opened.script(edits=[edit(1, 4, 1, 6, "r"), edit(1, 7, 1, 8, "x"), *HOLES[1:]])
    opened.nvim.command("Diffill fill_all")
    opened.wait_proposal()
    opened.nvim.current.window.cursor = (2, 0)
    opened.nvim.command("Diffill accept here")
    assert opened.text == TEXT.replace("pass", "rsx", 1)


def test_what_was_typed_before_is_an_undo_step_of_its_own(opened):
    opened.script(edits=[edit(6, 0, 7, 0, "last = 2\n")])
    # In one go, as from a map: nothing but the plugin tells the steps apart.
    opened.lua("vim.api.nvim_buf_set_lines(0, -1, -1, true, { 'last = 1' })")
    opened.lua("""
        require("diffill").fill_all()
        vim.wait(9000, function() return require("diffill").accept() end)""")
    assert opened.text == TEXT + "last = 2\n"
    opened.nvim.command("undo")
    assert opened.text == TEXT + "last = 1\n"


def test_reject_leaves_the_text(proposed):
    proposed.nvim.command("Diffill reject")
    assert proposed.text == TEXT
    assert proposed.screen()[:7] == [*TEXT.split("\n")[:6], "~"]
    proposed.nvim.command("Diffill accept")
    assert proposed.text == TEXT
    assert proposed.notices[-1] == "Diffill: there is nothing to accept"


def test_a_proposal_follows_its_lines(proposed):
    proposed.nvim.current.buffer[0:0] = ["import os", ""]
    proposed.nvim.current.buffer[4:4] = ["# between"]
    proposed.nvim.command("Diffill accept")
    head, tail = FILLED.split("\n\n\n")
    assert proposed.text == f"import os\n\n{head}\n# between\n\n\n{tail}"


@pytest.mark.parametrize(
    ("first", "last", "lines"),
    [(5, 6, ["    pass  # mine"]), (5, 6, []), (1, 2, ["    pass ", "    pass"])],
)
def test_a_stale_proposal_changes_nothing(proposed, first, last, lines):
    proposed.nvim.current.buffer[first:last] = lines
    before = proposed.text
    proposed.nvim.command("Diffill accept")
    assert proposed.text == before
    assert "changed meanwhile" in proposed.notices[-1]
    assert "return" not in "".join(proposed.screen())


def test_an_edit_of_version_0_for_a_text_changed_since_is_refused(opened):
    opened.script(edits=HOLES, hold=True)
    opened.nvim.command("Diffill fill_all")
    opened.wait_seen("workspace/executeCommand")
    opened.nvim.current.buffer[0:0] = ["import os"]
    opened.release()
    opened.wait_notice("changed meanwhile")
    assert opened.text == "import os\n" + TEXT


def test_an_edit_moved_by_the_server_is_taken(opened):
    opened.nvim.current.buffer[0:0] = ["import os"]
    version = opened.lua("return vim.lsp.util.buf_versions[vim.api.nvim_get_current_buf()]")
    opened.script(edits=[edit(2, 4, 2, 8, "return 1")], version=version)
    opened.nvim.command("Diffill fill")
    opened.wait_proposal()
    opened.nvim.command("Diffill accept")
    assert opened.nvim.current.buffer[2] == "    return 1"


@pytest.mark.parametrize(
    ("text", "change", "result"),
    [
        ("a\nb\n", edit(2, 0, 2, 0, "c\n"), "a\nb\nc\n"),
        ("a\nb\n", edit(1, 0, 2, 0, "x\ny\n"), "a\nx\ny\n"),
        ("a\nb\n", edit(1, 0, 2, 0, ""), "a\n"),
        ("a\r\nb\r\n", edit(0, 1, 1, 0, "\r\nx\r\n"), "a\nx\nb\n"),
        ("a = '😀é'\n", edit(0, 7, 0, 8, "ü"), "a = '😀ü'\n"),
        ("", edit(0, 0, 0, 0, "a"), "a\n"),
    ],
)
def test_places_count_as_the_protocol_says(editor, text, change, result):
    editor.open(text)
    editor.script(edits=[change])
    editor.nvim.command("Diffill fill")
    editor.wait_proposal()
    editor.screen()
    editor.nvim.command("Diffill accept")
    assert editor.text == result


def test_cancel(opened):
    opened.script(edits=HOLES, hold=True)
    opened.nvim.command("Diffill fill")
    opened.wait_seen("workspace/executeCommand")
    assert opened.lua("return require('diffill').status()") == "Diffill: filling"
    opened.nvim.command("Diffill cancel")
    opened.wait_seen("$/cancelRequest")
    assert opened.lua("return require('diffill').status()") == "Diffill"
    opened.nvim.command("Diffill cancel")
    assert opened.notices == ["Diffill: no edit is being made"]
    assert opened.text == TEXT


def test_the_newest_edit_replaces_the_one_before(opened):
    opened.script(edits=HOLES, hold=True)
    opened.nvim.command("Diffill fill_all")
    opened.wait_seen("workspace/executeCommand")
    opened.script(edits=HOLES[:1])
    opened.nvim.command("Diffill fill")
    opened.wait_seen("$/cancelRequest")
    opened.wait_proposal()
    opened.nvim.command("Diffill accept")
    assert opened.text == TEXT.replace("pass", "return 1", 1)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ({"reason": "no proposal was good enough: unclosed '('"}, "no proposal was good enough"),
        ({"edits": []}, "leave the text as it is"),
        ({}, "leave the text as it is"),
        ({"error": {"code": -32803, "message": "files of this name may hold secrets"}}, "secrets"),
        ({"error": {"code": -32603, "message": "internal error"}}, "internal error"),
    ],
)
def test_why_there_is_no_edit_is_said(opened, script, message):
    opened.script(**script)
    opened.nvim.command("Diffill fill")
    opened.wait_notice(message)
    assert opened.text == TEXT
    assert opened.lua("return require('diffill.session').of(vim.fn.bufnr()) == nil")


def test_an_unmodifiable_buffer_is_not_edited(opened):
    opened.nvim.command("set nomodifiable | Diffill fill")
    assert opened.notices == ["Diffill: the buffer is not modifiable"]


def test_rewrite_asks_for_the_instruction(opened):
    opened.script(edits=HOLES[:1])
    opened.lua("vim.ui.input = function(_, done) done('Return one.') end")
    opened.nvim.current.window.cursor = (2, 4)
    opened.nvim.command("Diffill rewrite")
    opened.wait_proposal()
    place = {"line": 1, "character": 4}
    assert command(opened)["instruction"] == "Return one."
    assert command(opened)["range"] == {"start": place, "end": place}
    opened.lua("vim.ui.input = function(_, done) done(nil) end")
    opened.nvim.command("1,2Diffill rewrite  Return 1. ")
    opened.wait_seen("workspace/executeCommand", 2)
    assert command(opened)["instruction"] == "Return 1."
    assert command(opened)["range"]["end"] == {"line": 1, "character": 8}


def test_an_instruction_not_given_ends_it(opened):
    opened.lua("vim.ui.input = function(_, done) done(nil) end")
    opened.nvim.command("Diffill rewrite")
    assert opened.lua("return require('diffill.session').of(vim.fn.bufnr()) == nil")


@pytest.mark.parametrize(
    ("keys", "ranges"),
    [
        ("wviw", [(0, 4, 0, 7)]),
        ("Vj", [(0, 0, 1, 8)]),
        ("jwv4j0e", [(1, 4, 5, 8)]),
        ("jw<C-v>3l4j", [(1, 4, 1, 8), (4, 4, 4, 8), (5, 4, 5, 8)]),
    ],
)
def test_a_selection_is_filled(opened, keys, ranges):
    opened.lua("vim.keymap.set('x', 'gf', '<Plug>(diffill-fill)')")
    opened.script(edits=HOLES[:1])
    opened.keys(f"gg0{keys}gf")
    opened.wait_proposal()
    argument = command(opened)
    sent = argument.get("ranges") or [argument["range"]]
    assert [
        (r["start"]["line"], r["start"]["character"], r["end"]["line"], r["end"]["character"])
        for r in sent
    ] == ranges
    assert opened.nvim.api.get_mode()["mode"] == "n"


def test_a_code_action_is_previewed_like_a_command(opened):
    opened.script(edits=HOLES[:1])
    opened.lua("vim.lsp.buf.code_action({ apply = true })")
    opened.wait_proposal()
    opened.nvim.command("Diffill accept")
    assert opened.text == TEXT.replace("pass", "return 1", 1)


def test_a_killed_server_is_told_and_started_again(opened):
    opened.script(edits=HOLES, hold=True)
    opened.nvim.command("Diffill fill")
    opened.wait_seen("workspace/executeCommand")
    opened.lua("vim.lsp.get_clients()[1].rpc.terminate()")
    opened.wait_notice("the next command starts it again")
    opened.wait("#vim.lsp.get_clients() == 0")
    assert opened.lua("return require('diffill').status()") == ""
    opened.nvim.command("Diffill fill")
    opened.wait_seen("workspace/executeCommand", 2)
    opened.script(edits=HOLES)
    opened.nvim.command("Diffill fill_all")
    opened.wait_proposal()
    opened.nvim.command("Diffill accept")
    assert opened.text == FILLED


def test_a_missing_program_is_told(editor):
    editor.lua("vim.lsp.config('diffill', { cmd = { 'no-such-program' } })")
    editor.nvim.command("Diffill fill")
    assert "`no-such-program` is not on your PATH" in editor.notices[0]


def test_repair_is_of_a_place_and_reroll_of_the_file(opened):
    opened.script(edits=[edit(1, 4, 1, 8, "return 1")])
    opened.nvim.current.window.cursor = (2, 4)
    for name, where in (("repair", {"line": 1, "character": 4}), ("reroll", None)):
        opened.nvim.command(f"Diffill {name}")
        opened.wait_proposal()
        sent = [m["params"] for m in opened.seen if m["method"] == "workspace/executeCommand"][-1]
        assert sent["command"] == f"diffill.{name}"
        assert sent["arguments"][0].get("range") == (where and {"start": where, "end": where})
        opened.nvim.command("Diffill reject")
