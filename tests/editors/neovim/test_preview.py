"""The live view: what the screen shows while an edit is made."""

import pytest
from neovim_editor import edit, marks

TEXT = "def one():\n\tpass  # é\n\nlast = 1\n"


def token(text, state, confidence=1.0):
    return {"text": text, "state": state, "confidence": confidence}


def frame(tokens, span=0, step=0, at=(1, 1, 1, 5)):
    where = edit(*at, "")["range"]
    return {"range": where, "span": span, "step": step, "tokens": tokens}


MASKED = [token("", "masked")] * 3
HALF = [token("return", "committed"), token("", "masked"), token("1", "provisional", 0.3)]


@pytest.fixture
def opened(editor):
    editor.open(TEXT)
    return editor


def watch(editor, *frames):
    editor.script(frames=list(frames), edits=[edit(1, 1, 1, 5, "return 1")], hold=True)
    editor.nvim.command("Diffill fill")
    editor.wait(f"{marks('preview')} > 0")


def groups(editor, row):
    """Highlight groups of the virtual lines below a row."""
    return editor.lua(
        """
        local namespace = vim.api.nvim_create_namespace("diffill.preview")
        local marks =
          vim.api.nvim_buf_get_extmarks(0, namespace, { ..., 0 }, { ..., 0 }, { details = true })
        for _, mark in ipairs(marks) do
          if mark[4].virt_lines then
            return vim.tbl_map(function(chunk) return chunk[2] end, mark[4].virt_lines[1])
          end
        end""",
        row,
    )


def test_masked_provisional_and_committed_tokens_in_their_line(opened):
    watch(opened, frame(MASKED), frame(HALF, step=1))
    opened.wait(
        "vim.inspect(require('diffill.session').of(vim.fn.bufnr()).frames):find('Provisional')"
    )
    assert opened.screen()[:5] == [
        "def one():",
        "    pass  # é",
        "    return▒▒1  # é",
        "",
        "last = 1",
    ]
    assert groups(opened, 1) == [
        "DiffillContext",
        "DiffillCommitted",
        "DiffillMasked",
        "DiffillProvisional2",
        "DiffillContext",
    ]
    assert opened.text == TEXT


def test_frames_over_several_lines_and_spans(opened):
    several = [token("a\n\tb", "committed"), token("c", "revised"), token("d", "provisional", 0.99)]
    watch(opened, frame(several), frame(MASKED, span=1, at=(3, 7, 3, 8)))
    opened.wait("#vim.tbl_keys(require('diffill.session').of(vim.fn.bufnr()).frames) == 2")
    assert opened.screen()[1:7] == [
        "    pass  # é",
        "    a",
        "    bcd  # é",
        "",
        "last = 1",
        "last = ▒▒▒▒▒▒",
    ]


def test_whole_lines_are_replaced_as_lines(opened):
    watch(opened, frame([token("new = 1\n", "committed")], at=(1, 0, 3, 0)))
    assert opened.screen()[1:5] == ["    pass  # é", "", "new = 1", "last = 1"]


def test_the_view_follows_typing_elsewhere_and_goes_when_the_edit_is_refused(opened):
    watch(opened, frame(MASKED))
    opened.nvim.current.buffer[0:0] = ["import os"]
    assert opened.screen()[2:4] == ["    pass  # é", "    ▒▒▒▒▒▒  # é"]
    opened.script(error={"code": -32803, "message": "not good enough"})
    opened.nvim.command("Diffill fill")
    opened.wait_notice("not good enough")
    assert opened.screen()[1:4] == ["def one():", "    pass  # é", ""]


def test_frames_of_another_edit_or_text_are_left_out(opened):
    opened.script(hold=True)
    opened.nvim.command("Diffill fill")
    opened.wait_seen("workspace/executeCommand")
    for odd in ({"request": "another"}, {"version": 99}):
        opened.lua(
            """
            local session = require("diffill.session")
            local given, odd = ...
            local uri = vim.uri_from_bufnr(0)
            local about = { request = session.of(vim.fn.bufnr()).id, uri = uri, version = 0 }
            session.on_frame(vim.tbl_extend("force", given, about, odd))""",
            frame(MASKED),
            odd,
        )
    assert opened.screen()[1:3] == ["    pass  # é", ""]


def test_cancelling_takes_the_view_away(opened):
    watch(opened, frame(MASKED))
    opened.nvim.command("Diffill cancel")
    assert opened.screen()[1:3] == ["    pass  # é", ""]


def test_provisional_groups_are_shades_and_defaults(opened):
    shades = [
        opened.lua("return vim.api.nvim_get_hl(0, { name = ... }).fg", f"DiffillProvisional{n}")
        for n in range(1, 5)
    ]
    assert shades == sorted(shades) and len(set(shades)) == 4
    opened.nvim.command("hi DiffillMasked guifg=#123456")
    opened.nvim.command("doautocmd ColorScheme")
    fg = opened.lua("return vim.api.nvim_get_hl(0, { name = 'DiffillMasked' }).fg")
    assert fg == 0x123456


def test_the_view_is_scrolled_to_and_the_cursor_stays(editor):
    editor.open("".join(f"line {n}\n" for n in range(100)))
    editor.nvim.command("normal! 50Gzb")
    assert editor.screen()[-1] == "line 49"
    editor.script(edits=[edit(49, 0, 49, 7, "one\n\ntwo")])
    editor.nvim.command("Diffill fill")
    editor.wait_proposal()
    assert editor.screen()[-5:] == [
        "line 48",
        "line 49   :Diffill accept or :Diffill reject",
        "one",
        "",
        "two",
    ]
    assert editor.nvim.current.window.cursor == (50, 0)


def diff_windows(editor):
    return editor.lua("""
        return vim.iter(vim.api.nvim_list_wins())
          :filter(function(window) return vim.wo[window].diff end)
          :map(function(window)
            local buf = vim.api.nvim_win_get_buf(window)
            return table.concat(vim.api.nvim_buf_get_lines(buf, 0, -1, false), "\\n") .. "\\n"
          end):totable()""")


def test_a_proposal_as_a_diff(opened):
    opened.nvim.command("Diffill diff")
    assert "there is no proposal to look at" in opened.notices[-1]
    both = [edit(1, 1, 1, 5, "return 1"), edit(3, 7, 3, 8, "2")]
    opened.script(edits=both)
    opened.nvim.command("Diffill fill_all")
    opened.wait_proposal()
    opened.nvim.command("Diffill diff")
    filled = TEXT.replace("pass", "return 1").replace("last = 1", "last = 2")
    assert diff_windows(opened) == [TEXT, filled]
    opened.nvim.command("Diffill diff")
    assert diff_windows(opened) == [], "a second time closes it"
    opened.nvim.command("Diffill diff")
    opened.nvim.command("normal! G")
    opened.nvim.command("Diffill accept here")
    rest = TEXT.replace("last = 1", "last = 2")
    assert diff_windows(opened) == [rest, filled]
    opened.nvim.command("Diffill accept")
    assert (diff_windows(opened), opened.text) == ([], filled)


def test_a_diff_whose_window_is_closed_leaves_no_trace(opened):
    opened.script(edits=[edit(1, 1, 1, 5, "return 1")])
    opened.nvim.command("Diffill fill")
    opened.wait_proposal()
    opened.nvim.command("Diffill diff")
    opened.nvim.command("wincmd l | quit")
    assert (diff_windows(opened), opened.text) == ([], TEXT)
    opened.nvim.command("Diffill diff")
    opened.nvim.command("Diffill reject")
    assert (diff_windows(opened), opened.text) == ([], TEXT)
