---The language client: what it announces, what it answers, how it is found and started.

local notice = require("diffill.notice")

local M = {}

M.NAME = "diffill"

---@return lsp.ClientCapabilities
function M.capabilities()
  return {
    -- Neovim understands versioned edits, but does not say so.
    workspace = { workspaceEdit = { documentChanges = true } },
    textDocument = {
      -- Without lazy edits the server's code actions are commands, and those run through
      -- `M.commands`: preview, prompt and the check for stale edits are the plugin's own then.
      codeAction = { dataSupport = false, resolveSupport = { properties = {} } },
      inlineCompletion = { dynamicRegistration = false },
    },
    experimental = { diffill = { frames = true, instructionPrompt = true, off = true } },
  }
end

---@param command lsp.Command
---@param context { bufnr: integer }
local function start(command, context)
  require("diffill.session").start(context.bufnr, command.command, command.arguments[1])
end

---What the server's code actions and lenses run.
---@type table<string, fun(command: lsp.Command, context: table)>
M.commands = {
  ["diffill.fill"] = start,
  ["diffill.fillAll"] = start,
  ["diffill.fillOpen"] = start,
  ["diffill.repair"] = start,
  ["diffill.reroll"] = start,
  ["diffill.rewrite"] = function(command, context)
    require("diffill.session").rewrite(context.bufnr, command.arguments[1])
  end,
}

---@type table<string, lsp.Handler>
M.handlers = {
  ["diffill/frame"] = function(_, frame) require("diffill.session").on_frame(frame) end,
  ["diffill/frameEnd"] = function(_, finish) require("diffill.session").on_frame_end(finish) end,
  ["diffill/off"] = function(_, told) require("diffill.status").on_off(told) end,
  ["workspace/applyEdit"] = function(_, params, context)
    local edits = require("diffill.edits")
    local client = assert(vim.lsp.get_client_by_id(context.client_id))
    local found, problem = edits.read(params.edit, client.offset_encoding)
    if not found then
      notice(problem --[[@as string]], vim.log.levels.WARN)
      return { applied = false, failureReason = problem }
    end
    for buf, each in pairs(found) do
      edits.apply(buf, each)
    end
    return { applied = true }
  end,
}

---@param buf integer
---@return vim.lsp.Client? client that is ready to be asked
function M.of(buf) return vim.lsp.get_clients({ bufnr = buf, name = M.NAME })[1] end

---Calls back with the buffer's client; a server that has ended is started again.
---@param buf integer
---@param callback fun(client: vim.lsp.Client)
function M.with(buf, callback)
  local client = M.of(buf)
  if client and not client:is_stopped() then return callback(client) end
  local config = vim.lsp.config[M.NAME]
  local command = config and config.cmd
  local program = type(command) == "table" and command[1]
  if program and vim.fn.executable(program) == 0 then
    return notice(
      ("`%s` is not on your PATH; `:checkhealth diffill` tells more"):format(program),
      vim.log.levels.ERROR
    )
  end
  local id ---@type integer?
  local waiting = vim.api.nvim_create_autocmd("LspAttach", {
    buffer = buf,
    callback = function(event)
      if event.data.client_id ~= id then return end
      callback(assert(vim.lsp.get_client_by_id(id)))
      return true
    end,
  })
  local root = config.root_dir
  if type(root) ~= "string" then root = vim.fs.root(buf, config.root_markers or {}) end
  id = vim.lsp.start(vim.tbl_extend("force", config, { root_dir = root }), { bufnr = buf })
  if not id then
    vim.api.nvim_del_autocmd(waiting)
    notice("the language server did not start", vim.log.levels.ERROR)
  end
end

return M
