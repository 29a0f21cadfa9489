---The command `:Diffill`, the `<Plug>` maps, and what is attached to a server's buffers.

local M = {}

---@return table
local function diffill() return require("diffill") end

---@param message string
local function tell(message) require("diffill.notice")(message) end

---@param args vim.api.keyset.create_user_command.command_args
---@return diffill.Place[]? places the lines of a command with a range
local function lines_of(args)
  if args.range == 0 then return nil end
  local position = require("diffill.position")
  return { position.lines(vim.api.nvim_get_current_buf(), args.line1 - 1, args.line2 - 1) }
end

---@class diffill.Subcommand
---@field run fun(args: vim.api.keyset.create_user_command.command_args, rest: string)
---@field complete string[]? what may follow it
---@field free boolean? whether any text may follow it

local AMOUNTS = { "all", "word", "line", "here", "file" }

---@type table<string, diffill.Subcommand>
local SUBCOMMANDS = {
  fill = { run = function(args) diffill().fill(lines_of(args)) end },
  rewrite = {
    free = true,
    run = function(args, instruction)
      diffill().rewrite(lines_of(args), instruction ~= "" and instruction or nil)
    end,
  },
  fill_all = { run = function() diffill().fill_all() end },
  fill_open = { run = function() diffill().fill_open() end },
  repair = { run = function() diffill().repair() end },
  reroll = { run = function() diffill().reroll() end },
  diff = {
    run = function()
      if not diffill().diff() then tell("there is no proposal to look at") end
    end,
  },
  cancel = {
    run = function()
      if not diffill().cancel() then tell("no edit is being made") end
    end,
  },
  accept = {
    complete = AMOUNTS,
    run = function(_, amount)
      if not diffill().accept(amount ~= "" and amount or nil) then
        tell("there is nothing to accept")
      end
    end,
  },
  reject = {
    complete = { "here", "file" },
    run = function(_, amount)
      if not diffill().reject(amount ~= "" and amount or nil) then
        tell("there is nothing to reject")
      end
    end,
  },
  enable = {
    run = function(args) diffill().enable(args.bang and vim.api.nvim_get_current_buf() or nil) end,
  },
  disable = {
    run = function(args) diffill().disable(args.bang and vim.api.nvim_get_current_buf() or nil) end,
  },
  status = {
    run = function() tell(require("diffill.status").long(vim.api.nvim_get_current_buf())) end,
  },
}

---@param args vim.api.keyset.create_user_command.command_args
local function run(args)
  local name, rest = args.args:match("^(%S+)%s*(.-)%s*$")
  local subcommand = SUBCOMMANDS[name]
  local problem ---@type string?
  if not subcommand then
    local names = vim.tbl_keys(SUBCOMMANDS)
    table.sort(names)
    problem = ("there is no `:Diffill %s`, only %s"):format(name, table.concat(names, ", "))
  elseif rest ~= "" and not subcommand.free then
    local choices = subcommand.complete or {}
    if #choices == 0 then
      problem = ("`:Diffill %s` takes nothing behind it"):format(name)
    elseif not vim.list_contains(choices, rest) then
      problem = ("`:Diffill %s` takes %s"):format(name, table.concat(choices, ", "))
    end
  end
  if problem then return require("diffill.notice")(problem, vim.log.levels.ERROR) end
  subcommand.run(args, rest)
end

---@param lead string
---@param line string
---@return string[]
local function complete(lead, line)
  local name = line:match("Diffill!?%s+(%S+)%s")
  local choices = name and (SUBCOMMANDS[name] or {}).complete or {}
  if not name then choices = vim.tbl_keys(SUBCOMMANDS) end
  choices = vim.tbl_filter(function(choice) return vim.startswith(choice, lead) end, choices)
  table.sort(choices)
  return choices
end

---@param act fun(places: diffill.Place[])
local function on_selection(act)
  local places = require("diffill.position").selected(0)
  vim.api.nvim_feedkeys(vim.keycode("<Esc>"), "nx", false)
  act(places)
end

local function create_maps()
  local function map(mode, name, act)
    vim.keymap.set(mode, ("<Plug>(diffill-%s)"):format(name), act, { desc = "Diffill: " .. name })
  end
  map("n", "fill", function() diffill().fill() end)
  map("n", "rewrite", function() diffill().rewrite() end)
  map("x", "fill", function() on_selection(diffill().fill) end)
  map("x", "rewrite", function() on_selection(diffill().rewrite) end)
  map("n", "fill-all", function() diffill().fill_all() end)
  map("n", "fill-open", function() diffill().fill_open() end)
  map("n", "repair", function() diffill().repair() end)
  map("n", "reroll", function() diffill().reroll() end)
  map("n", "diff", function() diffill().diff() end)
  map("n", "cancel", function() diffill().cancel() end)
  map({ "n", "i" }, "accept", function() diffill().accept() end)
  map("i", "accept-word", function() diffill().accept("word") end)
  map("i", "accept-line", function() diffill().accept("line") end)
  map({ "n", "i" }, "reject", function() diffill().reject() end)
  map("n", "accept-here", function() diffill().accept("here") end)
  map("n", "reject-here", function() diffill().reject("here") end)
  map("n", "accept-file", function() diffill().accept("file") end)
  map("n", "reject-file", function() diffill().reject("file") end)
end

---@param event { buf: integer, data: { client_id: integer } }
local function on_attach(event)
  local client = vim.lsp.get_client_by_id(event.data.client_id)
  if not client or client.name ~= require("diffill.client").NAME then return end
  if client.server_capabilities.inlineCompletionProvider then
    diffill().ghost().attach(event.buf, client)
  end
end

---@param event { buf: integer, data: { client_id: integer } }
local function on_detach(event)
  local client = vim.lsp.get_client_by_id(event.data.client_id)
  if not client or client.name ~= require("diffill.client").NAME then return end
  diffill().ghost().detach(event.buf)
  require("diffill.status").detach(event.buf)
  require("diffill.session").on_detach(event.buf, event.data.client_id)
end

---Called once, when the plugin is loaded.
function M.register()
  vim.api.nvim_create_user_command("Diffill", run, {
    nargs = "+",
    range = true,
    bang = true,
    complete = complete,
    desc = "Fill and rewrite code with Diffill",
  })
  create_maps()
  require("diffill.highlights").register()
  require("diffill.status").register()
  local group = vim.api.nvim_create_augroup("diffill", {})
  vim.api.nvim_create_autocmd("LspAttach", { group = group, callback = on_attach })
  vim.api.nvim_create_autocmd("LspDetach", { group = group, callback = on_detach })
end

return M
