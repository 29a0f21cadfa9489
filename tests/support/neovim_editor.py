"""A Neovim with the plugin and a language server, as a test drives it."""

import sys
import time

from raw_client import ROOT, SUPPORT

PLUGIN = ROOT / "editor_clients" / "neovim"
SCRIPTED = [sys.executable, str(SUPPORT / "editor_server.py")]
DEADLINE_S = 10.0


class Editor:
    patience_s = DEADLINE_S

    def __init__(self, nvim, folder):
        self.nvim = nvim
        self.folder = folder

    def lua(self, code, *arguments):
        return self.nvim.exec_lua(code, *arguments)

    def wait(self, condition, *arguments):
        """Wait for a Lua expression to be true; keys are read between the looks."""
        look = f"local a = {{...}}; return vim.wait(50, function() return {condition} end, 2)"
        end = time.monotonic() + self.patience_s
        while not self.lua(look, *arguments):
            assert time.monotonic() < end, f"never: {condition}\n{self.screen()}\n{self.notices}"

    def open(self, text, name="sample.py", server=SCRIPTED):
        """Edit a file with a server attached to it."""
        path = self.folder / name
        path.write_bytes(text.encode())
        self.lua("vim.lsp.config('diffill', { cmd = ... }) vim.lsp.enable('diffill')", server)
        self.nvim.command(f"edit {path}")
        self.wait("#vim.lsp.get_clients({ bufnr = 0, name = 'diffill' }) == 1")

    def script(self, **script):
        self.tell("test/script", script)

    def release(self):
        self.tell("test/release", {})

    def tell(self, method, params):
        self.lua("vim.lsp.get_clients({ name = 'diffill' })[1]:notify(...)", method, params)

    def wait_seen(self, method, count=1):
        """Wait until the server has received so many messages and return the last."""
        self.wait(
            "#vim.tbl_filter(function(m) return m.method == a[1] end, Seen) >= a[2]", method, count
        )
        return [m["params"] for m in self.seen if m["method"] == method][-1]

    @property
    def seen(self):
        return self.lua("return Seen")

    @property
    def notices(self):
        return self.lua("return Notices")

    def wait_notice(self, part):
        self.wait("vim.iter(Notices):any(function(n) return n:find(a[1], 1, true) end)", part)

    def wait_proposal(self):
        self.wait("(require('diffill.session').of(vim.fn.bufnr()) or {}).state == 'proposed'")

    def keys(self, keys):
        self.nvim.input(keys)

    @property
    def text(self):
        return "\n".join(self.nvim.current.buffer[:]) + "\n"

    def screen(self):
        """The rows of the screen above the status line, without trailing space."""
        rows = self.lua("""
            vim.cmd.redraw()
            local rows = {}
            for row = 1, vim.o.lines - 2 do
              local cells = {}
              for col = 1, vim.o.columns do cells[col] = vim.fn.screenstring(row, col) end
              rows[row] = table.concat(cells)
            end
            return rows""")
        return [row.rstrip() for row in rows]


def marks(name):
    """A Lua expression: the number of extmarks in a namespace of the plugin."""
    return (
        f"#vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_create_namespace('diffill.{name}'), "
        "0, -1, {})"
    )


def edit(first, start, last, end, new):
    """A text edit, from one line and UTF-16 column to another."""
    where = {"start": {"line": first, "character": start}, "end": {"line": last, "character": end}}
    return {"range": where, "newText": new}
