---Text as virtual text: as it would look in the buffer.

local M = {}

---A piece of text and its highlight group, "" for none.
---@alias diffill.Chunk [string, string]

---@param text string
---@return string
local function printable(text)
  if not text:find("[^\32-\126]") then return text end
  local parts = {} ---@type string[]
  for _, character in ipairs(vim.fn.split(text, "\\zs")) do
    local base = vim.fn.strcharpart(character, 0, 1)
    local marks = character:sub(#base + 1)
    local shown = vim.fn.strtrans(base)
    -- A mark with nothing to sit on gets a cell of its own.
    if marks ~= "" and shown ~= base then marks = " " .. marks end
    if vim.fn.strcharlen("x" .. base) == 1 then shown = " " .. shown end
    parts[#parts + 1] = shown .. marks
  end
  return table.concat(parts)
end

---Tabs become spaces and unprintable characters what Neovim shows for them; virtual text has
---neither. The current buffer's 'tabstop' counts.
---@param text string without line ends
---@param column integer screen column the text starts at
---@return string text
---@return integer column behind it
function M.expand(text, column)
  local parts = {} ---@type string[]
  for index, part in ipairs(vim.split(text, "\t", { plain = true })) do
    if index > 1 then
      local width = vim.fn.strdisplaywidth("\t", column)
      parts[#parts + 1] = (" "):rep(width)
      column = column + width
    end
    part = printable(part)
    parts[#parts + 1] = part
    column = column + vim.fn.strdisplaywidth(part, column)
  end
  return table.concat(parts), column
end

---Breaks chunks into lines of virtual text.
---@param chunks diffill.Chunk[]
---@return diffill.Chunk[][]
function M.lines(chunks)
  local lines, column = { {} }, 0 ---@type diffill.Chunk[][], integer
  for _, chunk in ipairs(chunks) do
    for index, text in ipairs(vim.split(chunk[1], "\n", { plain = true })) do
      if index > 1 then
        lines[#lines + 1], column = {}, 0
      end
      text, column = M.expand(text, column)
      if text ~= "" then table.insert(lines[#lines], { text, chunk[2] }) end
    end
  end
  return lines
end

return M
