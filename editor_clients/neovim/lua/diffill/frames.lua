---The steps of a buffer's edit while it is made, wherever other changes move its places.

local position = require("diffill.position")
local preview = require("diffill.preview")

local M = {}

local namespace = vim.api.nvim_create_namespace("diffill.frames")

---@class diffill.Frame
---@field version integer
---@field range lsp.Range
---@field span integer
---@field tokens diffill.FrameToken[]

---The newest frame of a place.
---@class diffill.Shown
---@field mark integer
---@field chunks diffill.Chunk[]

---@param buf integer
---@param frames table<integer, diffill.Shown> by span
local function draw(buf, frames)
  local parts = {} ---@type diffill.Part[]
  for _, frame in pairs(frames) do
    local mark = vim.api.nvim_buf_get_extmark_by_id(buf, namespace, frame.mark, { details = true })
    if mark[1] then
      parts[#parts + 1] = {
        row = mark[1],
        col = mark[2],
        end_row = mark[3].end_row,
        end_col = mark[3].end_col,
        chunks = frame.chunks,
      }
    end
  end
  table.sort(parts, function(a, b)
    if a.row ~= b.row then return a.row < b.row end
    return a.col < b.col
  end)
  preview.draw(buf, parts)
end

---Shows a step; one for a text that is not the buffer's is left out.
---@param buf integer
---@param frames table<integer, diffill.Shown> by span
---@param frame diffill.Frame
---@param encoding string
function M.take(buf, frames, frame, encoding)
  local known = frames[frame.span]
  if not known then
    if frame.version ~= vim.lsp.util.buf_versions[buf] then return end
    local place = position.place(buf, frame.range, encoding)
    position.clamp(buf, place)
    local mark = vim.api.nvim_buf_set_extmark(buf, namespace, place.row, place.col, {
      end_row = place.end_row,
      end_col = place.end_col,
      strict = false,
    })
    known = { mark = mark, chunks = {} }
    frames[frame.span] = known
  end
  known.chunks = preview.chunks(frame.tokens)
  draw(buf, frames)
end

---@param buf integer
function M.clear(buf)
  if vim.api.nvim_buf_is_valid(buf) then vim.api.nvim_buf_clear_namespace(buf, namespace, 0, -1) end
end

return M
