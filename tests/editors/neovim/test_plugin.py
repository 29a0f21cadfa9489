"""What is around the edits: the command, switches, status, health, Neovim 0.12, packaging."""

import json
import re
import sys
from pathlib import Path

import pytest
from neovim_editor import PLUGIN, edit
from raw_client import ROOT

from grammars.languages import LANGUAGES

TEXT = "def one():\n    pass\n"


def health(editor):
    editor.nvim.command("checkhealth diffill")
    return editor.text


def test_the_command_completes(editor):
    def complete(line):
        return editor.lua("return vim.fn.getcompletion(..., 'cmdline')", line)

    assert complete("Diffill fill") == ["fill", "fill_all", "fill_open"]
    assert len(complete("Diffill ")) == 13
    assert complete("Diffill accept ") == ["all", "file", "here", "line", "word"]
    assert complete("'<,'>Diffill! accept w") == ["word"]
    assert complete("Diffill fill ") == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("fil", "there is no `:Diffill fil`, only accept, cancel"),
        ("fill it", "`:Diffill fill` takes nothing behind it"),
        ("accept half", "`:Diffill accept` takes all, word, line, here"),
        ("reject", "there is nothing to reject"),
        ("accept", "there is nothing to accept"),
        ("status", "no language server is attached"),
    ],
)
def test_a_command_that_cannot_be_done_is_told(editor, command, message):
    editor.nvim.command(f"Diffill {command}")
    assert message in editor.notices[0]


def test_no_key_is_mapped(editor):
    maps = editor.lua("""
        local found = {}
        for _, mode in ipairs({ "n", "x", "i", "o", "t", "c" }) do
          for _, map in ipairs(vim.api.nvim_get_keymap(mode)) do
            if (map.desc or ""):find("Diffill") then table.insert(found, map.lhs) end
          end
        end
        return found""")
    assert len(maps) == 20
    assert all(name.startswith("<Plug>(diffill-") for name in maps)


def test_status(editor):
    assert editor.lua("return require('diffill').status()") == ""
    editor.open(TEXT)
    assert editor.lua("return require('diffill').status()") == "Diffill"
    editor.script(edits=[edit(1, 4, 1, 8, "return 1")])
    editor.nvim.command("Diffill fill")
    editor.wait_proposal()
    assert editor.lua("return require('diffill').status()") == "Diffill: accept or reject"
    editor.nvim.command("Diffill status")
    assert "an edit waits for accept or reject, ghost text on" in editor.notices[-1]
    editor.nvim.command("Diffill reject")
    editor.nvim.command("Diffill disable")
    assert editor.lua("return require('diffill').status()") == "Diffill: off"


@pytest.mark.parametrize(
    ("everywhere", "here", "enabled"),
    [
        ("nil", "nil", True),
        ("false", "nil", False),
        ("false", "true", True),
        ("{ ghost = { enabled = false } }", "nil", False),
        ("{ ghost = { debounce_ms = 5 } }", "false", False),
        ("{ ghost = { enabled = 'no' } }", "nil", True),
    ],
)
def test_the_switches(editor, everywhere, here, enabled):
    editor.lua(f"vim.g.diffill = {everywhere}; vim.b.diffill = {here}")
    assert editor.lua("return require('diffill.config').get(0).ghost.enabled") is enabled


def test_checkhealth_in_order(editor):
    editor.open(TEXT)
    editor.lua("vim.keymap.set('i', '<C-l>', '<Plug>(diffill-accept)')")
    report = health(editor)
    assert "ERROR" not in report and "WARNING" not in report
    assert "Neovim 0.11" in report
    assert sys.executable in report
    assert "server 1 is running" in report
    assert "<C-L>: diffill-accept" in report


def test_checkhealth_tells_what_is_wrong(editor):
    editor.lua("vim.g.diffill = { ghots = {}, ghost = { debounce_ms = 'x' } }")
    editor.lua("vim.lsp.config('diffill', { cmd = { 'no-such-program' } })")
    report = health(editor)
    assert "ERROR `no-such-program` is not on your PATH" in report
    assert "ERROR there is no setting `ghots`" in report
    assert 'ERROR `ghost.debounce_ms` is "x", not a number: 150 is used' in report


def test_what_the_editor_announces(editor):
    editor.open(TEXT)
    capabilities = editor.lua("return vim.lsp.get_clients()[1].capabilities")
    assert capabilities["workspace"]["workspaceEdit"]["documentChanges"] is True
    ours = {"frames": True, "instructionPrompt": True, "off": True}
    assert capabilities["experimental"]["diffill"] == ours


def test_neovim_0_12_completes_itself(editor):
    editor.lua("""
        Calls, Item = {}, nil
        vim.lsp.inline_completion = {
          enable = function(on, filter) table.insert(Calls, { on, filter }) end,
          get = function(opts)
            if Item and opts.on_accept then Item = opts.on_accept(Item) end
            return Item ~= nil
          end,
        }""")
    editor.open("x = 1\n")
    client = editor.lua("return vim.lsp.get_clients()[1].id")
    assert editor.lua("return Calls") == [[True, {"client_id": client}]]
    assert editor.lua("return require('diffill').accept()") is False
    editor.lua("Item = { insert_text = 'x = call(1)', range = { start_row = 0, start_col = 0 } }")
    editor.nvim.current.window.cursor = (1, 3)
    assert editor.lua("return require('diffill').accept('word')") is True
    assert editor.lua("return Item.insert_text") == "x = call"
    editor.lua("Item = { insert_text = 'x = a(\\n  b)', range = { start_row = 0, start_col = 0 } }")
    assert editor.lua("return require('diffill').accept('line')") is True
    assert editor.lua("return Item.insert_text") == "x = a("
    editor.lua("Calls = {}")
    editor.nvim.command("Diffill! disable")
    buf = editor.nvim.current.buffer.number
    assert editor.lua("return Calls") == [[True, {"client_id": client}], [False, {"bufnr": buf}]]
    assert editor.lua("return package.loaded['diffill.ghost'] == nil")


def test_the_help_has_a_tag_for_everything(editor):
    tags = set(re.findall(r"\*([^*\s]+)\*", Path(PLUGIN, "doc", "diffill.txt").read_text("utf-8")))
    plugs = editor.lua("""
        return vim.tbl_map(function(map) return map.lhs end, vim.tbl_filter(function(map)
          return vim.startswith(map.lhs, "<Plug>(diffill-")
        end, vim.list_extend(vim.api.nvim_get_keymap("i"), vim.api.nvim_get_keymap("n"))))""")
    groups = set(editor.lua("return vim.fn.getcompletion('Diffill', 'highlight')"))
    functions = editor.lua("return vim.tbl_keys(require('diffill'))")
    internal = {"ghost", "cursor"}
    assert set(plugs) <= tags
    assert {f"hl-{name}" for name in groups} <= tags
    assert {f"diffill.{name}()" for name in functions if name not in internal} <= tags
    assert {f"g:diffill.{k}" for k in ("ghost", "preview")} <= tags
    editor.nvim.command(f"helptags {PLUGIN / 'doc'} | help diffill.fill()")
    (PLUGIN / "doc" / "tags").unlink()


def test_the_languages_are_the_checked_ones(editor):
    languages = [language.id for language in LANGUAGES]
    assert editor.lua("return vim.lsp.config.diffill.filetypes") == languages


def test_the_help_names_every_setting_of_the_server():
    schema = json.loads((ROOT / "lsp_server" / "settings.schema.json").read_text("utf-8"))
    text = Path(PLUGIN, "doc", "diffill.txt").read_text("utf-8")
    _, _, section = text.partition("*diffill-server-settings*")
    listed = re.findall(r"^(\w+)  ", section.partition("=====")[0], re.MULTILINE)
    assert listed == list(schema["properties"])
