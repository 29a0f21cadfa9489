---Diffill's functions, for maps and statuslines of one's own. See |diffill|.

local session = require("diffill.session")

local M = {}

---Ghost text: the editor's own where it has it.
---@return table ghost
function M.ghost()
  return vim.lsp.inline_completion and require("diffill.core") or require("diffill.ghost")
end

---@return integer buf
local function here() return vim.api.nvim_get_current_buf() end

---Fills a selection, or the statement at the cursor.
---@param places diffill.Place[]? rows and byte columns from zero; the cursor if left out
function M.fill(places) session.start(here(), "diffill.fill", { places = places or M.cursor() }) end

---Rewrites a selection, or the statement at the cursor, by an instruction.
---@param places diffill.Place[]?
---@param instruction string? asked for if left out
function M.rewrite(places, instruction)
  session.rewrite(here(), { places = places or M.cursor(), instruction = instruction })
end

---Fills every hole of the file: function bodies yet to be written.
function M.fill_all() session.start(here(), "diffill.fillAll", {}) end

---Fills every hole of all open files that have any.
function M.fill_open() session.start(here(), "diffill.fillOpen", {}) end

---Mends the syntax error on the cursor's line, or the file's first.
function M.repair() session.start(here(), "diffill.repair", { places = M.cursor() }) end

---Fills once more what the model was unsure of in the last edit of the file.
function M.reroll() session.start(here(), "diffill.reroll", {}) end

---Shows the proposed edit beside the text, as a diff; closes that if it is open.
---@return boolean shown false if nothing is proposed
function M.diff() return session.diff(here()) end

---@return diffill.Place[]
function M.cursor()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  return { { row = row - 1, col = col, end_row = row - 1, end_col = col } }
end

---Stops the edit that is being made.
---@return boolean stopped false if none is
function M.cancel()
  local current = session.of(here())
  if not current or current.state ~= "running" then return false end
  session.drop(here())
  return true
end

---Accepts the proposed edit, or ghost text.
---@param amount diffill.Amount|"here"|"file"|nil how much of ghost text, or only what is at the
---cursor or in its file of an edit of several places; all if left out
---@return boolean accepted false if there was nothing to accept
function M.accept(amount)
  if amount == "here" or amount == "file" then return session.accept(here(), amount) end
  return session.accept(here()) or M.ghost().accept(here(), amount or "all")
end

---Rejects the proposed edit, or ghost text.
---@param amount "here"|"file"|nil only what is at the cursor, or in its file, of an edit of several
---places
---@return boolean rejected false if there was nothing to reject
function M.reject(amount)
  if amount == "here" or amount == "file" then return session.reject(here(), amount) end
  return session.reject(here()) or M.ghost().reject(here())
end

---Turns ghost text on.
---@param buf integer? in one buffer alone
function M.enable(buf)
  require("diffill.config").switch(true, buf)
  M.ghost().refresh()
end

---Turns ghost text off.
---@param buf integer? in one buffer alone
function M.disable(buf)
  require("diffill.config").switch(false, buf)
  M.ghost().refresh()
end

---@return string status a few words for a statusline, "" without a server
function M.status() return require("diffill.status").short(here()) end

return M
