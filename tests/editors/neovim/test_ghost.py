"""Ghost text: what is shown is what accept inserts."""

import random

import pytest
from neovim_editor import marks

SHOWN = f"{marks('ghost')} > 0"
HIDDEN = f"not ({SHOWN})"


def item(line, start, end, text, **more):
    where = {
        "start": {"line": line, "character": start},
        "end": {"line": line, "character": end},
    }
    return {"insertText": text, "range": where} | more


@pytest.fixture
def typing(editor):
    """An editor where `x = ` is typed and ghost text proposes a call of two lines."""
    editor.lua("vim.g.diffill = { ghost = { debounce_ms = 1 } }")
    editor.open("first = 1\n\nlast = 1\n")
    editor.script(items=[item(1, 0, 4, "x = call(one,\n         two)")])
    editor.nvim.current.window.cursor = (2, 0)
    editor.keys("ix = ")
    editor.wait(SHOWN)
    return editor


def test_ghost_text_is_seen_and_not_in_the_buffer(typing):
    assert typing.screen()[:4] == ["first = 1", "x = call(one,", "         two)", "last = 1"]
    assert typing.text == "first = 1\nx = \nlast = 1\n"
    asked = typing.wait_seen("textDocument/inlineCompletion")
    assert asked["context"]["triggerKind"] == 2
    assert asked["position"]["line"] == 1


def test_accept_all(typing):
    assert typing.lua("return require('diffill').accept()") is True
    assert typing.text == "first = 1\nx = call(one,\n         two)\nlast = 1\n"
    assert typing.nvim.current.window.cursor == (3, 13)
    typing.wait(HIDDEN)
    typing.keys("<Esc>u")
    typing.wait("vim.api.nvim_buf_get_lines(0, 1, 2, true)[1] == 'x = '")


def test_accept_by_the_word_and_by_the_line(typing):
    typing.lua("vim.keymap.set('i', '<C-l>', '<Plug>(diffill-accept-word)')")
    typing.lua("vim.keymap.set('i', '<C-j>', '<Plug>(diffill-accept-line)')")
    for keys, line in (("<C-l>", "x = call"), ("<C-l>", "x = call("), ("<C-j>", "x = call(one,")):
        typing.keys(keys)
        typing.wait("vim.api.nvim_get_current_line() == a[1]", line)
        typing.wait(SHOWN)
        assert typing.screen()[1:3] == ["x = call(one,", "         two)"]
    typing.keys("<C-j>")
    typing.wait("vim.api.nvim_get_current_line() == '         two)'")
    assert typing.text == "first = 1\nx = call(one,\n         two)\nlast = 1\n"
    assert typing.nvim.current.window.cursor == (3, 13)


def test_typing_ahead_keeps_it_without_another_request(typing):
    before = len([m for m in typing.seen if m["method"] == "textDocument/inlineCompletion"])
    typing.keys("cal")
    typing.wait("vim.api.nvim_get_current_line() == 'x = cal'")
    typing.wait(SHOWN)
    assert typing.screen()[1:3] == ["x = call(one,", "         two)"]
    after = len([m for m in typing.seen if m["method"] == "textDocument/inlineCompletion"])
    assert after == before
    assert typing.lua("return require('diffill').accept()") is True
    assert typing.text == "first = 1\nx = call(one,\n         two)\nlast = 1\n"


def test_typing_something_else_hides_it_and_asks_again(typing):
    typing.script(items=[])
    typing.keys("z")
    typing.wait("vim.api.nvim_get_current_line() == 'x = z'")
    typing.wait(HIDDEN)
    typing.wait_seen("textDocument/inlineCompletion", 2)
    assert typing.lua("return require('diffill').accept()") is False
    assert typing.text == "first = 1\nx = z\nlast = 1\n"


def test_what_a_key_stroke_overtakes_is_not_asked_for(editor):
    editor.lua("vim.g.diffill = { ghost = { debounce_ms = 1 } }")
    editor.open("first = 1\n")
    editor.script(items=[])
    editor.keys("i")
    editor.wait_seen("textDocument/inlineCompletion", 1)
    # The first change's request is due, and scheduled behind the second change.
    editor.lua("""
        local function change() vim.api.nvim_exec_autocmds("TextChangedI", { buffer = 0 }) end
        change()
        vim.schedule(function()
          change()
          vim.wait(50, function() return false end, 5, true)
        end)
    """)
    editor.wait_seen("textDocument/inlineCompletion", 2)
    editor.keys("<Esc>")
    editor.script(items=[item(0, 0, 9, "first = 12")])
    editor.keys("A")
    editor.wait(SHOWN)
    asked = [m for m in editor.seen if m["method"] == "textDocument/inlineCompletion"]
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [("x = ", 0, 4), ("x = 1\n", 0, 4), ("= ", 2, 4), ("", 4, 4), ("y = 1", 0, 4)],
)
def test_what_is_there_already_or_does_not_fit_is_not_shown(editor, text, start, end):
    editor.lua("vim.g.diffill = { ghost = { debounce_ms = 1 } }")
    editor.open("\nend\n")
    editor.script(items=[item(0, start, end, text)])
    editor.keys("ix = ")
    editor.wait_seen("textDocument/inlineCompletion")
    editor.wait("vim.tbl_isempty(vim.lsp.get_clients()[1].requests)")
    shown = text == "x = 1\n"
    assert editor.lua(f"return {SHOWN}") is shown
    assert editor.lua("return require('diffill').accept()") is shown


def test_leaving_insert_mode_dismisses_it(typing):
    typing.keys("<Esc>")
    typing.wait(HIDDEN)
    assert typing.screen()[1:3] == ["x =", "last = 1"]
    assert typing.lua("return require('diffill').accept()") is False


def test_rejecting_it_leaves_the_text(typing):
    assert typing.lua("return require('diffill').reject()") is True
    typing.wait(HIDDEN)
    assert typing.text == "first = 1\nx = \nlast = 1\n"
    assert typing.lua("return require('diffill').reject()") is False


def test_it_is_not_shown_beside_an_open_menu(typing):
    typing.keys("<C-x><C-n>")
    typing.wait("vim.fn.pumvisible() == 1")
    typing.wait(HIDDEN)
    assert typing.lua("return require('diffill').accept()") is False


def test_an_outstanding_request_is_cancelled_by_typing(editor):
    editor.lua("vim.g.diffill = { ghost = { debounce_ms = 1 } }")
    editor.open("\n")
    editor.script(hold=True, items=[item(0, 0, 1, "abc")])
    editor.keys("ia")
    editor.wait_seen("textDocument/inlineCompletion")
    editor.keys("b")
    editor.wait_seen("$/cancelRequest")
    editor.wait_seen("textDocument/inlineCompletion", 2)
    assert editor.lua(f"return {HIDDEN}")


def test_switched_off_nothing_is_asked(typing):
    typing.nvim.command("Diffill disable")
    assert typing.lua(f"return {HIDDEN}")
    typing.script(items=[])
    before = len(typing.seen)
    typing.keys("a b")
    typing.wait("vim.api.nvim_get_current_line() == 'x = a b'")
    typing.nvim.command("Diffill enable")
    typing.nvim.command("Diffill! disable")
    typing.keys("c")
    typing.wait("vim.api.nvim_get_current_line() == 'x = a bc'")
    # Asked after the changes, the server has had all that was sent before.
    typing.tell("workspace/didChangeConfiguration", {"settings": {}})
    typing.wait_seen("workspace/didChangeConfiguration")
    methods = [m["method"] for m in typing.seen[before:]]
    assert "textDocument/inlineCompletion" not in methods


def test_its_command_runs_once_all_is_accepted(editor):
    editor.lua("vim.g.diffill = { ghost = { debounce_ms = 1 } }")
    editor.lua("Ran = 0; vim.lsp.commands.kept = function() Ran = Ran + 1 end")
    editor.open("\n")
    command = {"title": "kept", "command": "kept"}
    editor.script(items=[item(0, 0, 1, "a word", command=command)])
    editor.keys("ia")
    editor.wait(SHOWN)
    assert editor.lua("require('diffill').accept('word') return Ran") == 1


PIECES = ["a", "b1", "_", " ", "\t", "(", ")", '"', "é", "e\u0301", "ß", "中", "😀", "👩\u200d💻"]
PIECES += ["\u200b", "\x0c", "\u2028", "\x85", "\u0301"]


def word(pick, length):
    return "".join(pick.choice(PIECES) for _ in range(pick.randrange(length)))


def utf16(text):
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize("seed", range(3))
def test_what_is_shown_is_what_is_inserted(editor, seed):
    pick = random.Random(seed)
    editor.lua("vim.g.diffill = { ghost = { debounce_ms = 0 } }")
    editor.lua("vim.bo.tabstop = ...", pick.choice([2, 4, 8]))
    editor.open("\n")
    shown = 0
    for _ in range(25):
        head, typed, behind, tail = (word(pick, 5) for _ in range(4))
        middle = "\n".join(word(pick, 6) for _ in range(pick.choice([1, 1, 2, 3])))
        behind = pick.choice(["", behind])
        text = typed + middle + behind + pick.choice(["", word(pick, 3)])
        text = text.replace("\n", pick.choice(["\n", "\r\n"]))
        line = head + typed + behind + tail
        editor.keys("<Esc>")
        editor.wait("vim.api.nvim_get_mode().mode == 'n'")
        editor.nvim.current.buffer[:] = ["above", line, "below"]
        start, end = utf16(head), utf16(head + typed + behind)
        editor.script(items=[item(1, start, end, text)])
        before = len([m for m in editor.seen if m["method"] == "textDocument/inlineCompletion"])
        column = len((head + typed).encode())
        editor.lua("vim.api.nvim_win_set_cursor(0, { 2, ... }) vim.cmd.startinsert()", column)
        if column == len(line.encode()):
            editor.lua("vim.cmd('startinsert!')")
        editor.wait_seen("textDocument/inlineCompletion", before + 1)
        editor.wait("vim.tbl_isempty(vim.lsp.get_clients()[1].requests)")
        ghost = editor.screen()
        editor.script(items=[])  # its range is that of the text before anything is accepted
        result = head + text.replace("\r\n", "\n") + tail
        amount = pick.choice(["all", "word", "line"])
        if not editor.lua("return require('diffill').accept(...)", amount):
            assert editor.text == f"above\n{line}\nbelow\n"
            continue
        shown += 1
        while editor.lua(f"return {SHOWN}"):
            assert amount != "all"
            assert ghost == editor.screen(), (head, typed, behind, tail, text)
            before = editor.text
            assert editor.lua("return require('diffill').accept(...)", amount)
            assert len(editor.text) > len(before)
        if editor.text == f"above\n{result}\nbelow\n":
            assert ghost == editor.screen(), (head, typed, behind, tail, text)
        else:  # half a character is not shown, so not offered
            assert amount != "all"
            assert "\u0301" in result
    assert shown > 5
