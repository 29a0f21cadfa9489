---Ghost text for Neovim 0.11: inline completions as virtual text, one state a buffer.

local config = require("diffill.config")
local display = require("diffill.display")
local edits = require("diffill.edits")
local position = require("diffill.position")
local suggestions = require("diffill.suggestion")

local M = {}

local METHOD = "textDocument/inlineCompletion"
local AUTOMATIC = 2
local namespace = vim.api.nvim_create_namespace("diffill.ghost")
local group = vim.api.nvim_create_augroup("diffill.ghost", {})

---@class diffill.Ghost
---@field client vim.lsp.Client
---@field timer uv.uv_timer_t
---@field due table? stands for the request that the timer brings, also once it is scheduled
---@field request integer? id of the outstanding request
---@field suggestion diffill.Suggestion?
---@field shown { rest: diffill.Rest, line: string, row: integer, col: integer }? what is on the screen

---@type table<integer, diffill.Ghost> by buffer
local ghosts = {}

---@return integer row
---@return integer col
---@return string line
local function here()
  local cursor = vim.api.nvim_win_get_cursor(0)
  return cursor[1] - 1, cursor[2], vim.api.nvim_get_current_line()
end

---@param buf integer
local function hide(buf)
  ghosts[buf].shown = nil
  vim.api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
end

---@param ghost diffill.Ghost
local function cancel(ghost)
  ghost.timer:stop()
  ghost.due = nil
  if ghost.request then ghost.client:cancel_request(ghost.request) end
  ghost.request = nil
end

---@param buf integer
local function dismiss(buf)
  cancel(ghosts[buf])
  ghosts[buf].suggestion = nil
  hide(buf)
end

---@param buf integer
---@param row integer
---@param col integer
---@param line string
---@param rest diffill.Rest
local function draw(buf, row, col, line, rest)
  local typed = line:sub(1, col)
  if rest.behind ~= "" and rest.before ~= "" then
    vim.api.nvim_buf_set_extmark(buf, namespace, row, col, {
      virt_text = { { display.expand(rest.before, vim.fn.strdisplaywidth(typed)), "DiffillGhost" } },
      virt_text_pos = "inline",
      right_gravity = false,
    })
  end
  local lines = edits.split(rest.behind == "" and rest.before .. rest.after or rest.after)
  local at = col + #rest.behind
  local column =
    vim.fn.strdisplaywidth(rest.behind == "" and typed or typed .. rest.before .. rest.behind)
  local first, behind = display.expand(lines[1], column)
  if first ~= "" then
    vim.api.nvim_buf_set_extmark(buf, namespace, row, at, {
      virt_text = { { first, "DiffillGhost" } },
      virt_text_pos = "inline",
      right_gravity = false,
    })
  end
  if #lines == 1 then return end
  -- The rest of the line goes down with the last line of the ghost text: covered here, shown there.
  local tail = line:sub(at + 1)
  if tail ~= "" then
    local _, to = display.expand(tail, behind)
    vim.api.nvim_buf_set_extmark(buf, namespace, row, at, {
      virt_text = { { (" "):rep(to - behind), "Normal" } },
      virt_text_win_col = behind,
    })
  end
  local chunks = { { table.concat(lines, "\n", 2), "DiffillGhost" }, { tail, "Normal" } }
  vim.api.nvim_buf_set_extmark(buf, namespace, row, 0, {
    virt_lines = display.lines(chunks),
    virt_lines_overflow = "scroll",
  })
end

---Shows what fits the text as it is; nothing is shown beside an open menu.
---@param buf integer
---@return boolean shown
local function show(buf)
  local ghost = ghosts[buf]
  hide(buf)
  local suggestion = ghost.suggestion
  if not suggestion or vim.fn.pumvisible() == 1 then return false end
  local row, col, line = here()
  local rest = row == suggestion.row and suggestions.rest(suggestion, line, col)
  if not rest then
    ghost.suggestion = nil
    return false
  end
  draw(buf, row, col, line, rest)
  ghost.shown = { rest = rest, line = line, row = row, col = col }
  return true
end

---@param buf integer
---@return boolean
local function typing(buf)
  return vim.api.nvim_get_current_buf() == buf
    and vim.startswith(vim.api.nvim_get_mode().mode, "i")
    and vim.fn.reg_executing() == ""
end

---@param buf integer
---@param item lsp.InlineCompletionItem?
local function take_in(buf, item)
  local ghost = ghosts[buf]
  if not item or type(item.insertText) ~= "string" or not item.range then return end
  local place = position.place(buf, item.range, ghost.client.offset_encoding)
  local row, _, line = here()
  if place.row ~= row or place.end_row ~= row then return end
  ghost.suggestion = {
    row = row,
    head = line:sub(1, place.col),
    tail = line:sub(place.end_col + 1),
    text = table.concat(edits.split(item.insertText), "\n"),
    command = item.command,
  }
  show(buf)
end

---@param buf integer
local function request(buf)
  local ghost = ghosts[buf]
  if not ghost or not typing(buf) or vim.fn.pumvisible() == 1 then return end
  local params = vim.lsp.util.make_position_params(0, ghost.client.offset_encoding)
  params.context = { triggerKind = AUTOMATIC }
  local asked = { vim.api.nvim_buf_get_changedtick(buf), vim.api.nvim_win_get_cursor(0) }
  local id ---@type integer?
  _, id = ghost.client:request(METHOD, params, function(_, result)
    if ghosts[buf] ~= ghost or ghost.request ~= id then return end
    ghost.request = nil
    if not result or not typing(buf) then return end
    local now = { vim.api.nvim_buf_get_changedtick(buf), vim.api.nvim_win_get_cursor(0) }
    if vim.deep_equal(asked, now) then take_in(buf, (result.items or result)[1]) end
  end, buf)
  ghost.request = id
end

---Keeps a suggestion that is being typed out; otherwise asks for one once the typing pauses.
---@param buf integer
local function update(buf)
  if not typing(buf) or show(buf) then return end
  local ghost, settings = ghosts[buf], config.get(buf)
  cancel(ghost)
  if not settings.ghost.enabled then return end
  local due = {}
  ghost.due = due
  local function ask()
    if ghost.due == due then request(buf) end
  end
  ghost.timer:start(settings.ghost.debounce_ms, 0, vim.schedule_wrap(ask))
end

---@param buf integer
---@param client vim.lsp.Client
function M.attach(buf, client)
  M.detach(buf)
  ghosts[buf] = { client = client, timer = assert(vim.uv.new_timer()) }
  local function on(events, callback)
    vim.api.nvim_create_autocmd(events, {
      group = group,
      buffer = buf,
      callback = function() callback(buf) end,
    })
  end
  on({ "InsertEnter", "TextChangedI", "CompleteDone" }, function()
    -- At these events the mode, or the menu, is still the old one.
    vim.schedule(function()
      if ghosts[buf] then update(buf) end
    end)
  end)
  on({ "CursorMovedI" }, show)
  on({ "CompleteChanged", "TextChangedP" }, function()
    cancel(ghosts[buf])
    hide(buf)
  end)
  on({ "InsertLeave", "BufLeave" }, dismiss)
end

---@param buf integer
function M.detach(buf)
  local ghost = ghosts[buf]
  if not ghost then return end
  vim.api.nvim_clear_autocmds({ group = group, buffer = buf })
  cancel(ghost)
  ghost.timer:close()
  if vim.api.nvim_buf_is_valid(buf) then hide(buf) end
  ghosts[buf] = nil
end

---Puts ghost text, or the first word or line of it, into the buffer as an undo step of its own.
---@param buf integer the current buffer
---@param amount diffill.Amount
---@return boolean accepted false if none is shown
function M.accept(buf, amount)
  local ghost = ghosts[buf]
  local shown = ghost and ghost.shown
  local row, col, line = here()
  if not shown or shown.row ~= row or shown.col ~= col or shown.line ~= line then return false end
  local suggestion = assert(ghost.suggestion)
  local text, replaced = suggestions.take(shown.rest, amount)
  local lines = vim.split(text, "\n", { plain = true })
  edits.apply(buf, {
    { row = row, col = col, end_row = row, end_col = col + replaced, lines = lines },
  })
  local last = row + #lines - 1
  local end_col = #lines == 1 and col + #text or #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { last + 1, end_col })
  if #lines > 1 then
    local done = line:sub(#suggestion.head + 1, col) .. text
    suggestion.row, suggestion.head = last, ""
    suggestion.text = suggestion.text:sub(#done - #lines[#lines] + 1)
  end
  if not show(buf) and suggestion.command then
    ghost.client:exec_cmd(suggestion.command, { bufnr = buf })
  end
  return true
end

---@param buf integer
---@return boolean dismissed false if none is shown
function M.reject(buf)
  local ghost = ghosts[buf]
  if not ghost or not ghost.shown then return false end
  dismiss(buf)
  return true
end

---Follows a change of the settings.
function M.refresh()
  for buf in pairs(ghosts) do
    if not config.get(buf).ghost.enabled then dismiss(buf) end
  end
end

return M
