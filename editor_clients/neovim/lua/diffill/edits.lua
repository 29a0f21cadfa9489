---Edits of buffers: read from LSP, anchored to their text, applied only where that text still is.

local position = require("diffill.position")

local M = {}

local namespace = vim.api.nvim_create_namespace("diffill.edits")

---@class diffill.Edit : diffill.Place
---@field lines string[] the new text

---An edit and the lines it was made for.
---@class diffill.Anchored
---@field edit diffill.Edit
---@field mark integer extmark over the lines
---@field old string[] the lines

---@param buf integer
---@param several boolean? whether other buffers were to be edited, too
---@return string sentence that tells why none was
function M.stale(buf, several)
  if not several then return "the text was changed meanwhile: nothing was edited" end
  local open = vim.api.nvim_buf_is_valid(buf)
  local name = open and vim.fn.fnamemodify(vim.api.nvim_buf_get_name(buf), ":~:.") or "a file"
  local what = open and "changed" or "closed"
  return ("%s was %s meanwhile: nothing was edited in any of the files"):format(name, what)
end

---An LSP document ends behind its last line end, a buffer at the end of its last line.
---@param buf integer
---@param edit diffill.Edit
local function within_buffer(buf, edit)
  local count = vim.api.nvim_buf_line_count(buf)
  if edit.end_row < count then return end
  if edit.row >= count then table.insert(edit.lines, 1, "") end
  position.clamp(buf, edit)
  if #edit.lines > 1 and edit.lines[#edit.lines] == "" then
    edit.lines[#edit.lines] = nil
  elseif #edit.lines == 1 and edit.lines[1] == "" and edit.col == 0 and edit.row > 0 then
    local previous = vim.api.nvim_buf_get_lines(buf, edit.row - 1, edit.row, false)[1]
    edit.row, edit.col = edit.row - 1, #previous
  end
end

---@param text string
---@return string[]
function M.split(text) return vim.split((text:gsub("\r\n?", "\n")), "\n", { plain = true }) end

---@param changes lsp.TextEdit[] of a buffer as it is
---@param buf integer
---@param encoding string
---@return diffill.Edit[] edits from the top of the buffer down
local function read_edits(changes, buf, encoding)
  local edits = {} ---@type diffill.Edit[]
  for _, change in ipairs(changes) do
    local edit = position.place(buf, change.range, encoding) --[[@as diffill.Edit]]
    edit.lines = M.split(change.newText)
    within_buffer(buf, edit)
    edits[#edits + 1] = edit
  end
  local order = {} ---@type table<diffill.Edit, integer>
  for index, edit in ipairs(edits) do
    order[edit] = index
  end
  table.sort(edits, function(a, b)
    if a.row ~= b.row then return a.row < b.row end
    if a.col ~= b.col then return a.col < b.col end
    return order[a] < order[b]
  end)
  return edits
end

---Reads an edit of open documents, all of which must be as the server knows them.
---@param workspace_edit lsp.WorkspaceEdit
---@param encoding string
---@return table<integer, diffill.Edit[]>? found edits by buffer, from the top down
---@return string? problem why the edit must not be applied
function M.read(workspace_edit, encoding)
  local changes = workspace_edit.documentChanges
  local foreign = "the server sent an edit that is not one of open files"
  if not changes then return nil, foreign end
  local found = {} ---@type table<integer, diffill.Edit[]>
  for _, change in ipairs(changes) do
    if not change.edits then return nil, foreign end
    local buf = vim.uri_to_bufnr(change.textDocument.uri)
    local version = change.textDocument.version
    if not vim.api.nvim_buf_is_loaded(buf) then return nil, "the file is no longer open" end
    if not vim.bo[buf].modifiable then return nil, "the buffer is not modifiable" end
    -- Neovim's own check passes every edit of version 0, the version a file is opened with.
    if version and version ~= vim.lsp.util.buf_versions[buf] then
      return nil, M.stale(buf, #changes > 1)
    end
    if #change.edits > 0 then found[buf] = read_edits(change.edits, buf, encoding) end
  end
  return found
end

---Remembers the lines of edits, wherever other changes move them.
---@param buf integer
---@param edits diffill.Edit[]
---@return diffill.Anchored[]
function M.anchor(buf, edits)
  local count = vim.api.nvim_buf_line_count(buf)
  return vim.tbl_map(function(edit) ---@param edit diffill.Edit
    local old = vim.api.nvim_buf_get_lines(buf, edit.row, edit.end_row + 1, false)
    local below = edit.end_row + 1 < count
    local mark = vim.api.nvim_buf_set_extmark(buf, namespace, edit.row, 0, {
      end_row = below and edit.end_row + 1 or edit.end_row,
      end_col = below and 0 or #old[#old],
      invalidate = true,
    })
    return { edit = edit, mark = mark, old = old }
  end, edits)
end

---@param buf integer
---@param anchored diffill.Anchored[]
function M.forget(buf, anchored)
  if not vim.api.nvim_buf_is_valid(buf) then return end
  for _, each in ipairs(anchored) do
    vim.api.nvim_buf_del_extmark(buf, namespace, each.mark)
  end
end

---@param buf integer
---@param edits diffill.Edit[] from the top down
local function set_text(buf, edits)
  for index = #edits, 1, -1 do
    local edit = edits[index]
    vim.api.nvim_buf_set_text(buf, edit.row, edit.col, edit.end_row, edit.end_col, edit.lines)
  end
end

---@param buf integer
---@param anchored diffill.Anchored[]
---@return diffill.Edit[]? edits where their lines are today, nil if any of these has changed
function M.today(buf, anchored)
  if not vim.api.nvim_buf_is_loaded(buf) or not vim.bo[buf].modifiable then return nil end
  local edits = {} ---@type diffill.Edit[]
  for _, each in ipairs(anchored) do
    local mark = vim.api.nvim_buf_get_extmark_by_id(buf, namespace, each.mark, { details = true })
    if not mark[1] or mark[3].invalid or mark[2] ~= 0 then return nil end
    local lines = vim.api.nvim_buf_get_lines(buf, mark[1], mark[1] + #each.old, false)
    if not vim.deep_equal(lines, each.old) then return nil end
    local shift = mark[1] - each.edit.row
    edits[#edits + 1] = vim.tbl_extend("force", each.edit, {
      row = each.edit.row + shift,
      end_row = each.edit.end_row + shift,
    })
  end
  return edits
end

---Chooses what stands at a row, else next below it, else last.
---@param today diffill.Edit[] from the top down
---@param row integer
---@return table<integer, true> chosen indices of edits; those that share lines go together
function M.at(today, row)
  local first = #today
  for index = #today, 1, -1 do
    if today[index].end_row >= row then first = index end
  end
  local chosen = { [first] = true }
  for index = first - 1, 1, -1 do
    if today[index].end_row < today[index + 1].row then break end
    chosen[index] = true
  end
  for index = first + 1, #today do
    if today[index].row > today[index - 1].end_row then break end
    chosen[index] = true
  end
  return chosen
end

---@param buf integer
---@param edits diffill.Edit[] from the top down, of the buffer as it is
---@return string[] lines of the buffer as the edits would leave it
function M.applied(buf, edits)
  local scratch = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(scratch, 0, -1, false, vim.api.nvim_buf_get_lines(buf, 0, -1, false))
  set_text(scratch, edits)
  local lines = vim.api.nvim_buf_get_lines(scratch, 0, -1, false)
  vim.api.nvim_buf_delete(scratch, { force = true })
  return lines
end

---Ends the undo step in the making.
---@param buf integer
local function close_undo_step(buf) vim.bo[buf].undolevels = vim.bo[buf].undolevels end

---Applies edits as one undo step of their own.
---@param buf integer
---@param edits diffill.Edit[] from the top down, of the buffer as it is
function M.apply(buf, edits)
  close_undo_step(buf)
  set_text(buf, edits)
  close_undo_step(buf)
end

return M
