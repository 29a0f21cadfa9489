-- What `vim.lsp.enable("diffill")` starts; change any of it with `vim.lsp.config("diffill", {…})`.
local client = require("diffill.client")

---@type vim.lsp.Config
return {
  cmd = { "diffill", "lsp" },
  filetypes = {
    "python",
    "javascript",
    "javascriptreact",
    "typescript",
    "typescriptreact",
    "rust",
    "go",
    "c",
    "cpp",
    "java",
  },
  root_markers = { ".git" },
  capabilities = client.capabilities(),
  commands = client.commands,
  handlers = client.handlers,
}
