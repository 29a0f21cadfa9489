---Text as virtual text: as it would look in the buffer.

local M = {}

---A piece of text and its highlight group, "" for none.
---@alias diffill.Chunk [string, string]

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
    part = vim.fn.strtrans(part)
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
