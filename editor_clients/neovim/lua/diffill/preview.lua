---The live view of an edit: the old text marked, the new text in virtual lines below it.

local display = require("diffill.display")
local highlights = require("diffill.highlights")

local M = {}

local namespace = vim.api.nvim_create_namespace("diffill.preview")
local BLOCK = "▒"

---New text for a place.
---@class diffill.Part : diffill.Place
---@field chunks diffill.Chunk[]

---@class diffill.FrameToken
---@field text string
---@field state "masked"|"provisional"|"committed"|"revised"
---@field confidence number

---@param tokens diffill.FrameToken[]
---@return diffill.Chunk[]
function M.chunks(tokens)
  return vim.tbl_map(function(token) ---@param token diffill.FrameToken
    if token.state == "masked" then return { BLOCK:rep(2), "DiffillMasked" } end
    if token.state == "provisional" then
      return { token.text, highlights.provisional(token.confidence) }
    end
    return { token.text, token.state == "revised" and "DiffillRevised" or "DiffillCommitted" }
  end, tokens)
end

---@param buf integer
---@param row integer
---@return string
local function line_at(buf, row)
  return vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or ""
end

---The text of a buffer between two places of the same hunk.
---@param buf integer
---@param from_row integer
---@param from_col integer
---@param to_row integer
---@param to_col integer
---@return diffill.Chunk
local function between(buf, from_row, from_col, to_row, to_col)
  local text = vim.api.nvim_buf_get_text(buf, from_row, from_col, to_row, to_col, {})
  return { table.concat(text, "\n"), "DiffillContext" }
end

---Whole lines end where the next begins; what is replaced there ends with their last line.
---@param buf integer
---@param part diffill.Part
---@return diffill.Part
local function fitted(buf, part)
  if part.end_col > 0 or part.end_row == part.row then return part end
  local chunks = vim.deepcopy(part.chunks)
  local last = chunks[#chunks]
  if last then last[1] = last[1]:gsub("\n$", "") end
  local end_row = part.end_row - 1
  return vim.tbl_extend("force", part, {
    chunks = chunks,
    end_row = end_row,
    end_col = #line_at(buf, end_row),
  })
end

---Scrolls to the new text if it would be below the window; the cursor stays on its line.
---@param buf integer
---@param first integer row of the hunk's first line
---@param last integer row of its last
---@param height integer lines below that
local function reveal(buf, first, last, height)
  local window = vim.api.nvim_get_current_win()
  local cursor = vim.api.nvim_win_get_cursor(window)[1] - 1
  if vim.api.nvim_win_get_buf(window) ~= buf or cursor < first or cursor > last then return end
  local top = vim.fn.line("w0", window) - 1
  local above = vim.api.nvim_win_text_height(window, { start_row = top, end_row = last }).all
  local hidden = above + height - vim.api.nvim_win_get_height(window)
  local view = vim.fn.winsaveview()
  view.topline = math.min(view.topline + math.max(hidden, 0), first + 1)
  vim.fn.winrestview(view)
end

---@param buf integer
---@param hunk diffill.Part[] parts that share lines
local function draw_hunk(buf, hunk)
  local chunks = {} ---@type diffill.Chunk[]
  local row, col = hunk[1].row, 0
  for _, part in ipairs(hunk) do
    chunks[#chunks + 1] = between(buf, row, col, part.row, part.col)
    vim.list_extend(chunks, part.chunks)
    row, col = part.end_row, part.end_col
    vim.api.nvim_buf_set_extmark(buf, namespace, part.row, part.col, {
      end_row = row,
      end_col = col,
      hl_group = "DiffillReplaced",
      strict = false,
    })
  end
  chunks[#chunks + 1] = between(buf, row, col, row, #line_at(buf, row))
  local lines = display.lines(chunks)
  reveal(buf, hunk[1].row, row, #lines)
  vim.api.nvim_buf_set_extmark(buf, namespace, row, 0, {
    virt_lines = lines,
    virt_lines_overflow = "scroll",
  })
end

---@param buf integer
function M.clear(buf)
  if vim.api.nvim_buf_is_valid(buf) then vim.api.nvim_buf_clear_namespace(buf, namespace, 0, -1) end
end

---Shows what parts of a buffer are to become, in place of what was shown before.
---@param buf integer
---@param parts diffill.Part[] from the top down
---@param hint string? shown behind the first of the lines
function M.draw(buf, parts, hint)
  M.clear(buf)
  if #parts == 0 then return end
  -- A buffer without a window has no 'tabstop' to measure with but its own.
  vim.api.nvim_buf_call(buf, function()
    local hunk = {} ---@type diffill.Part[]
    for _, part in ipairs(parts) do
      part = fitted(buf, part)
      if hunk[1] and part.row > hunk[#hunk].end_row then
        draw_hunk(buf, hunk)
        hunk = {}
      end
      hunk[#hunk + 1] = part
    end
    draw_hunk(buf, hunk)
  end)
  if hint then
    vim.api.nvim_buf_set_extmark(buf, namespace, parts[1].row, 0, {
      virt_text = { { "  " .. hint, "DiffillHint" } },
      virt_text_pos = "eol",
    })
  end
end

---Shows finished edits of a buffer, not yet accepted.
---@param buf integer
---@param edits diffill.Edit[] from the top down
---@param hint string
function M.propose(buf, edits, hint)
  local parts = vim.tbl_map(function(edit) ---@param edit diffill.Edit
    return vim.tbl_extend("force", edit, {
      chunks = { { table.concat(edit.lines, "\n"), "DiffillProposed" } },
    })
  end, edits)
  M.draw(buf, parts, hint)
end

return M
