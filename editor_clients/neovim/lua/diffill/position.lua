---Between LSP ranges and places in a buffer.

local M = {}

---A place in a buffer: rows and byte columns from zero, the end exclusive.
---@class diffill.Place
---@field row integer
---@field col integer
---@field end_row integer
---@field end_col integer

---@param buf integer
---@param position lsp.Position
---@param encoding string
---@return integer row the number of lines if the position is behind the last one
---@return integer col
local function to_buffer(buf, position, encoding)
  local line = vim.api.nvim_buf_get_lines(buf, position.line, position.line + 1, false)[1]
  if not line then return vim.api.nvim_buf_line_count(buf), 0 end
  return position.line, vim.str_byteindex(line, encoding, position.character, false)
end

---@param buf integer
---@param range lsp.Range
---@param encoding string
---@return diffill.Place place its rows may be behind the last line
function M.place(buf, range, encoding)
  local row, col = to_buffer(buf, range.start, encoding)
  local end_row, end_col = to_buffer(buf, range["end"], encoding)
  return { row = row, col = col, end_row = end_row, end_col = end_col }
end

---Moves what is behind the last line to its end: there an LSP document has one position more.
---@param buf integer
---@param place diffill.Place
function M.clamp(buf, place)
  local count = vim.api.nvim_buf_line_count(buf)
  local last = vim.api.nvim_buf_get_lines(buf, count - 1, count, false)[1]
  if place.row >= count then
    place.row, place.col = count - 1, #last
  end
  if place.end_row >= count then
    place.end_row, place.end_col = count - 1, #last
  end
end

---@param buf integer
---@param row integer
---@param col integer
---@param encoding string
---@return lsp.Position
local function to_lsp(buf, row, col, encoding)
  local line = vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ""
  return { line = row, character = vim.str_utfindex(line, encoding, math.min(col, #line), false) }
end

---@param buf integer
---@param place diffill.Place
---@param encoding string
---@return lsp.Range
function M.range(buf, place, encoding)
  return {
    start = to_lsp(buf, place.row, place.col, encoding),
    ["end"] = to_lsp(buf, place.end_row, place.end_col, encoding),
  }
end

---Whole lines, without the line end of the last.
---@param buf integer
---@param first integer row
---@param last integer row
---@return diffill.Place
function M.lines(buf, first, last)
  local line = vim.api.nvim_buf_get_lines(buf, last, last + 1, false)[1] or ""
  return { row = first, col = 0, end_row = last, end_col = #line }
end

---What is selected in visual mode: one place, or one for each line of a block.
---@param buf integer
---@return diffill.Place[]
function M.selected(buf)
  local mode = vim.fn.mode()
  local regions = vim.fn.getregionpos(
    vim.fn.getpos("v"),
    vim.fn.getpos("."),
    { type = mode, exclusive = false, eol = false }
  )
  local places = {} ---@type diffill.Place[]
  for _, region in ipairs(regions) do
    local from, to = region[1], region[2]
    -- An empty line, or one too short for the block, has column 0 here.
    places[#places + 1] = {
      row = from[2] - 1,
      col = math.max(from[3] - 1, 0),
      end_row = to[2] - 1,
      end_col = to[3],
    }
  end
  if mode == "V" then return { M.lines(buf, places[1].row, places[#places].end_row) } end
  if mode == "v" then
    local first, last = places[1], places[#places]
    return { { row = first.row, col = first.col, end_row = last.end_row, end_col = last.end_col } }
  end
  return vim.tbl_filter(function(place) return place.end_col > place.col end, places)
end

return M
