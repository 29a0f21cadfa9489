---What Diffill is doing, for a statusline and for `:Diffill status`.

local client = require("diffill.client")
local config = require("diffill.config")
local session = require("diffill.session")

local M = {}

---@type table<integer, string> what a client's server last said about its progress
local progress = {}

---@type table<integer, string> why the server leaves a buffer alone
local off = {}

---Listens to the server's progress.
function M.register()
  vim.api.nvim_create_autocmd("LspProgress", {
    group = vim.api.nvim_create_augroup("diffill.status", {}),
    callback = function(event)
      local id, value = event.data.client_id, event.data.params.value
      local sender = vim.lsp.get_client_by_id(id)
      if not sender or sender.name ~= client.NAME then return end
      progress[id] = value.kind == "report" and value.message or nil
      vim.cmd.redrawstatus()
    end,
  })
end

---@param told { uri: string, reason: string } a file that the server leaves alone
function M.on_off(told)
  off[vim.uri_to_bufnr(told.uri)] = told.reason
  vim.cmd.redrawstatus()
end

---@param buf integer whose server is gone
function M.detach(buf) off[buf] = nil end

---@param buf integer
---@return string
function M.short(buf)
  local found = client.of(buf)
  if not found then return "" end
  if off[buf] then return "Diffill: off" end
  local current = session.of(buf)
  if not current then return config.get(buf).ghost.enabled and "Diffill" or "Diffill: off" end
  if current.state == "proposed" then return "Diffill: accept or reject" end
  local detail = progress[found.id]
  return ("Diffill: %s%s"):format(current.title, detail and (", " .. detail) or "")
end

---@param buf integer
---@return string
function M.long(buf)
  local found = client.of(buf)
  if not found then return "no language server is attached to this buffer" end
  if off[buf] then return "off here: " .. off[buf] end
  local version = (found.server_info or {}).version
  local doing = ({ running = "making an edit", proposed = "an edit waits for accept or reject" })[(
    session.of(buf) or {}
  ).state] or "ready"
  return table.concat({
    ("server %s (client %d)"):format(version or "of unknown version", found.id),
    doing,
    "ghost text " .. (config.get(buf).ghost.enabled and "on" or "off"),
  }, ", ")
end

return M
