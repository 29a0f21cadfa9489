"""An edit of several files: shown in each, its places listed, all applied or none."""

import pytest
from raw_client import SERVER, script

HOLE = "def f():\n    pass\n"
NAMES = ["a.py", "b.py"]


def text_of(number, **settings):
    return script(fill=f"    return {number}\n", **settings) + HOLE


def filled(number):
    return text_of(number).replace("pass", f"return {number}")


TEXTS = [text_of(1), text_of(2)]
FILLED = [filled(1), filled(2)]


def texts(editor):
    return ["\n".join(each[:]) + "\n" for each in buffers(editor)]


def buffers(editor):
    named = {each.name.rpartition("/")[2]: each for each in editor.nvim.buffers}
    return [named[name] for name in NAMES]


def listed(editor):
    """The quickfix list: file, line and text of each entry."""
    return editor.lua("""
        return vim.tbl_map(function(item)
          return { vim.fs.basename(vim.api.nvim_buf_get_name(item.bufnr)), item.lnum, item.text }
        end, vim.fn.getqflist())""")


def marks(name):
    """A Lua expression: the marks of a file's preview."""
    namespace = "vim.api.nvim_create_namespace('diffill.preview')"
    return f"vim.api.nvim_buf_get_extmarks(vim.fn.bufnr('{name}'), {namespace}, 0, -1, {{}})"


def quickfix_is_open(editor):
    return editor.lua("return vim.fn.getqflist({ winid = 0 }).winid ~= 0")


@pytest.fixture
def opened(editor):
    """Two files with a hole each, the first one shown."""
    for name, text in zip(NAMES, TEXTS, strict=True):
        editor.open(text, name, server=SERVER)
    editor.nvim.command("buffer a.py")
    return editor


@pytest.fixture
def proposed(opened):
    opened.nvim.current.window.cursor = (3, 2)
    opened.nvim.command("Diffill fill_open")
    opened.wait_proposal()
    return opened


def test_each_file_shows_its_part_and_the_quickfix_list_all_places(proposed):
    assert texts(proposed) == TEXTS
    assert proposed.nvim.current.window.cursor == (3, 2)
    assert proposed.screen()[2:4] == [
        "    pass   :Diffill accept or :Diffill reject in all 2 files, one `file` or each `here`",
        "    return 1",
    ]
    assert listed(proposed) == [["a.py", 3, "return 1"], ["b.py", 3, "return 2"]]
    assert quickfix_is_open(proposed)
    proposed.nvim.command("clast")
    assert proposed.nvim.current.buffer.name.endswith("b.py")
    assert proposed.screen()[3] == "    return 2"


def test_one_that_is_closed_while_it_is_made_ends_it(opened):
    opened.nvim.current.buffer[0] = text_of(1, mode="wait").splitlines()[0]
    opened.nvim.command("Diffill fill_open")
    opened.wait("require('diffill').status():find('all open files') ~= nil")
    opened.nvim.command("bwipeout! a.py")
    assert (
        opened.lua("return vim.iter(Notices):any(function(n) return n:find('server') end)") is False
    )


@pytest.mark.parametrize("place", ["buffer a.py", "buffer b.py", "copen"])
def test_all_are_accepted_from_any_of_them_as_one_undo_step_each(proposed, place):
    proposed.nvim.command(place)
    proposed.nvim.command("Diffill accept")
    assert texts(proposed) == FILLED
    assert (listed(proposed), quickfix_is_open(proposed)) == ([], False)
    for number, buf in enumerate(buffers(proposed)):
        proposed.nvim.command(f"buffer {buf.number} | undo")
        expected = [*TEXTS[: number + 1], *FILLED[number + 1 :]]
        assert texts(proposed) == expected


def test_all_are_rejected_together(proposed):
    proposed.nvim.command("buffer b.py | Diffill reject")
    assert texts(proposed) == TEXTS
    assert not quickfix_is_open(proposed)
    assert proposed.screen()[3] == "~"
    proposed.nvim.command("buffer a.py | Diffill accept")
    assert proposed.notices[-1] == "Diffill: there is nothing to accept"
    assert texts(proposed) == TEXTS


def test_one_that_was_changed_meanwhile_leaves_all_as_they_are(proposed):
    _, second = buffers(proposed)
    second[2] = "    pass  # mine"
    before = texts(proposed)
    proposed.nvim.command("Diffill accept")
    assert texts(proposed) == before
    told = "b.py was changed meanwhile: nothing was edited in any of the files"
    assert proposed.notices[-1].endswith(told)
    assert "    return 1" not in proposed.screen()
    assert not quickfix_is_open(proposed)


def test_one_that_was_closed_meanwhile_leaves_all_as_they_are(proposed):
    proposed.nvim.command("bwipeout b.py | Diffill accept")
    assert proposed.text == TEXTS[0]
    assert "was closed meanwhile: nothing was edited" in proposed.notices[-1]


def test_a_place_is_accepted_alone_and_what_is_left_moves_with_its_text(proposed):
    proposed.nvim.command("Diffill accept here")
    assert texts(proposed) == [FILLED[0], TEXTS[1]]
    assert listed(proposed) == [["b.py", 3, "return 2"]]
    proposed.nvim.command("buffer b.py")
    proposed.nvim.current.buffer[1:1] = ["import os"]
    assert proposed.screen()[3].endswith("   :Diffill accept or :Diffill reject")
    proposed.nvim.command("Diffill accept")
    assert proposed.nvim.current.buffer[2:] == ["def f():", "    return 2"]
    assert not quickfix_is_open(proposed)


@pytest.mark.parametrize("what", ["accept", "reject"])
def test_a_file_is_ended_alone_and_the_others_wait(editor, what):
    twice = [text + HOLE.replace("f()", "g()") for text in TEXTS]
    done = [text.replace("pass", f"return {n}") for n, text in enumerate(twice, 1)]
    editor.open(twice[0], "a.py", server=SERVER)
    editor.open(twice[1], "b.py", server=SERVER)
    editor.nvim.command("Diffill fill_open")
    editor.wait_proposal()
    editor.nvim.command(f"Diffill {what} file")
    kept = done[1] if what == "accept" else twice[1]
    assert texts(editor) == [twice[0], kept]
    assert listed(editor) == [["a.py", 3, "return 1"], ["a.py", 5, "return 1"]]
    editor.nvim.command(f"Diffill {what} file")
    assert editor.notices[-1] == f"Diffill: there is nothing to {what}"
    if what == "accept":  # the file's places are one undo step
        editor.nvim.command("undo")
        assert texts(editor) == twice
        editor.nvim.command("redo")
    editor.nvim.command("buffer a.py")
    editor.keys(":Diffill accept file<CR>")
    editor.wait("vim.api.nvim_buf_get_lines(0, 2, 3, true)[1] == '    return 1'")
    assert texts(editor) == [done[0], kept]
    assert (listed(editor), quickfix_is_open(editor)) == ([], False)


def test_a_file_that_was_changed_meanwhile_is_not_accepted_alone(proposed):
    proposed.nvim.current.buffer[2] = "    pass  # mine"
    before = texts(proposed)
    proposed.nvim.command("Diffill accept file")
    assert texts(proposed) == before
    assert "a.py was changed meanwhile: nothing was edited" in proposed.notices[-1]


def test_a_file_without_holes_may_be_the_one_asked_from(opened):
    opened.open("x = 1\n", "whole.py", server=SERVER)
    opened.nvim.command("Diffill fill_open")
    opened.wait_proposal()
    opened.nvim.command("Diffill accept here")
    assert opened.notices[-1] == "Diffill: there is nothing to accept"
    opened.nvim.command("Diffill accept")
    assert texts(opened) == FILLED
    assert opened.lua("return require('diffill').status()") == "Diffill"


def test_while_it_is_made_each_file_shows_it_and_any_cancels_it(editor):
    editor.open(text_of(1, mode="linger"), "a.py", server=SERVER)
    editor.open(TEXTS[1], "b.py", server=SERVER)
    editor.nvim.command("Diffill fill_open")
    # What `b.py` is to become is made first: it was asked for there.
    editor.wait(f"#{marks('a.py')} > 0")
    editor.nvim.command("buffer a.py")
    assert editor.screen()[3].startswith("▒▒")
    editor.nvim.command("Diffill cancel")
    assert editor.lua("return require('diffill.session').of(vim.fn.bufnr('b.py')) == nil")
    assert editor.screen()[3] == "~"


def test_the_code_action_for_several_files_is_previewed_too(opened):
    opened.lua("""
        vim.lsp.buf.code_action({
          filter = function(action) return action.title:find("2 open files") ~= nil end,
          apply = true,
        })""")
    opened.wait_proposal()
    opened.nvim.command("Diffill accept")
    assert texts(opened) == FILLED


def test_without_a_preview_all_are_edited_at_once(opened):
    opened.lua("vim.g.diffill = { preview = { enabled = false } }")
    opened.nvim.command("Diffill fill_open")
    opened.wait("vim.api.nvim_buf_get_lines(vim.fn.bufnr('b.py'), 2, 3, true)[1] == '    return 2'")
    assert texts(opened) == FILLED


def test_typing_is_not_disturbed_by_the_list(opened):
    opened.keys("GA")
    opened.wait("vim.api.nvim_get_mode().mode == 'i'")
    opened.lua("require('diffill').fill_open()")
    opened.wait_notice("an edit of several files is proposed; :copen lists its places")
    assert opened.nvim.api.get_mode()["mode"] == "i"
    assert not quickfix_is_open(opened)


def test_an_edit_in_one_of_the_files_takes_the_place_of_all(proposed):
    proposed.nvim.command("buffer b.py | 3Diffill fill")
    proposed.wait_proposal()
    proposed.nvim.command("Diffill accept")
    assert texts(proposed) == [TEXTS[0], FILLED[1]]
