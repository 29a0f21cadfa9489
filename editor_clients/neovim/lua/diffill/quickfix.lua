---The places of a proposal of several files, as a quickfix list.

local M = {}

---@param list integer id
---@return boolean current whether it is the one the quickfix window shows
function M.is_current(list) return vim.fn.getqflist({ id = 0 }).id == list end

---Whether a window may be opened under the user's hands.
---@return boolean
local function may_open()
  return vim.api.nvim_get_mode().mode == "n" and vim.fn.getcmdwintype() == ""
end

---Lists edits and opens the quickfix window; the cursor stays where it is.
---@param edits table<integer, diffill.Edit[]> by buffer
---@param list integer? id of the list whose place it takes
---@return integer list id
function M.show(edits, list)
  local items = {} ---@type vim.quickfix.entry[]
  for buf, each in pairs(edits) do
    for _, edit in ipairs(each) do
      local first = vim.iter(edit.lines):find(function(line) return line:find("%S") end) or ""
      items[#items + 1] = {
        bufnr = buf,
        lnum = edit.row + 1,
        col = edit.col + 1,
        text = vim.trim(first) .. (#edit.lines > 1 and " …" or ""),
      }
    end
  end
  table.sort(items, function(a, b)
    if a.bufnr ~= b.bufnr then return a.bufnr < b.bufnr end
    return a.lnum < b.lnum
  end)
  local title = "Diffill: proposed, not yet accepted"
  if list then
    vim.fn.setqflist({}, "r", { id = list, title = title, items = items })
    return list
  end
  vim.fn.setqflist({}, " ", { title = title, items = items })
  if may_open() then
    local window = vim.api.nvim_get_current_win()
    vim.cmd("botright copen")
    vim.api.nvim_set_current_win(window)
  else
    require("diffill.notice")("an edit of several files is proposed; :copen lists its places")
  end
  return vim.fn.getqflist({ id = 0 }).id
end

---Empties a list and closes its window.
---@param list integer id
function M.close(list)
  if M.is_current(list) then vim.cmd.cclose() end
  vim.fn.setqflist({}, "r", { id = list, items = {} })
end

return M
