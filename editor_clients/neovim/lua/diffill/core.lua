---Ghost text for Neovim 0.12 and newer: the editor's own inline completion.

local config = require("diffill.config")
local suggestions = require("diffill.suggestion")

local M = {}

---@param buf integer
local function follow_buffer(buf)
  -- Core takes a client or a buffer, not both: a buffer's own switch is for all its servers.
  if vim.b[buf].diffill ~= nil then
    vim.lsp.inline_completion.enable(config.get(buf).ghost.enabled, { bufnr = buf })
  end
end

---@type table<integer, integer> client id by buffer
local attached = {}

---@param buf integer
---@param client vim.lsp.Client
function M.attach(buf, client)
  attached[buf] = client.id
  local enabled = config.get().ghost.enabled
  vim.lsp.inline_completion.enable(enabled, { client_id = client.id })
  follow_buffer(buf)
end

---@param buf integer
function M.detach(buf) attached[buf] = nil end

---@param buf integer
---@param amount diffill.Amount
---@return boolean accepted
function M.accept(buf, amount)
  if amount == "all" then return vim.lsp.inline_completion.get({ bufnr = buf }) end
  return vim.lsp.inline_completion.get({
    bufnr = buf,
    on_accept = function(item)
      local range, text = item.range, item.insert_text
      if type(text) ~= "string" or not range then return item end
      local col = vim.api.nvim_win_get_cursor(0)[2]
      local typed = math.max(col - range.start_col, 0)
      local rest = { before = "", behind = "", after = text:sub(typed + 1) }
      item.insert_text = text:sub(1, typed) .. (suggestions.take(rest, amount))
      return item
    end,
  })
end

---Core has no way to dismiss; leaving insert mode or moving the cursor does it.
---@return boolean dismissed
function M.reject() return false end

---Follows a change of the settings.
function M.refresh()
  for buf, id in pairs(attached) do
    vim.lsp.inline_completion.enable(config.get().ghost.enabled, { client_id = id })
    follow_buffer(buf)
  end
end

return M
