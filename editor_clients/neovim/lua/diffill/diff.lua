---A proposal beside its text, in Vim's own diff mode.

local M = {}

---Opens a window with the text as proposed; the cursor stays where it is.
---@param buf integer the current buffer
---@param lines string[] the text as proposed
---@return integer scratch buffer that is gone with its window
function M.open(buf, lines)
  local window = vim.api.nvim_get_current_win()
  local scratch = vim.api.nvim_create_buf(false, true)
  vim.bo[scratch].bufhidden = "wipe"
  vim.bo[scratch].syntax = vim.bo[buf].filetype -- a file type would bring a language server
  vim.api.nvim_buf_set_name(scratch, "diffill://" .. vim.api.nvim_buf_get_name(buf))
  M.show(scratch, lines)
  local beside = vim.api.nvim_open_win(scratch, false, { split = "right", win = window })
  for _, each in ipairs({ window, beside }) do
    vim.api.nvim_win_call(each, vim.cmd.diffthis)
  end
  vim.api.nvim_create_autocmd("BufWipeout", {
    buffer = scratch,
    once = true,
    callback = function()
      if not vim.api.nvim_win_is_valid(window) then return end
      vim.api.nvim_win_call(window, vim.cmd.diffoff)
    end,
  })
  return scratch
end

---@param scratch integer
---@param lines string[]? nil leaves it as it is
function M.show(scratch, lines)
  if not lines or not vim.api.nvim_buf_is_valid(scratch) then return end
  vim.bo[scratch].modifiable = true
  vim.api.nvim_buf_set_lines(scratch, 0, -1, false, lines)
  vim.bo[scratch].modifiable = false
end

---@param scratch integer
---@return boolean closed false if it was not open
function M.close(scratch)
  if not vim.api.nvim_buf_is_valid(scratch) then return false end
  vim.api.nvim_buf_delete(scratch, { force = true })
  return true
end

return M
