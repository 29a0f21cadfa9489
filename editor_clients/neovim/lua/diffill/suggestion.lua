---An inline completion against the line being typed: what of it is still to come, and where.

local M = {}

---@class diffill.Suggestion
---@field row integer
---@field head string the line before what it replaces
---@field tail string the line behind what it replaces
---@field text string what it puts there
---@field command lsp.Command? to be run once all of it is accepted

---What remains of a suggestion: `before` goes to the cursor, then comes `behind`, which is there
---already, then `after`.
---@class diffill.Rest
---@field before string
---@field behind string
---@field after string

---@param text string
---@param start integer from one
---@return boolean composes whether a character mark sits on what is before it
local function composes(text, start)
  return vim.fn.strcharlen(text)
    ~= vim.fn.strcharlen(text:sub(1, start - 1)) + vim.fn.strcharlen(text:sub(start))
end

---@param suggestion diffill.Suggestion
---@param line string the line as it is
---@param cursor integer byte column
---@return diffill.Rest? rest nil if it does not fit, or if all of it is there already
function M.rest(suggestion, line, cursor)
  local head, tail, text = suggestion.head, suggestion.tail, suggestion.text
  local first, last = #head, #line - #tail
  if cursor < first or cursor > last then return nil end
  if line:sub(1, first) ~= head or line:sub(last + 1) ~= tail then return nil end
  local typed, behind = line:sub(first + 1, cursor), line:sub(cursor + 1, last)
  if not vim.startswith(text, typed) then return nil end
  local rest = text:sub(#typed + 1)
  if rest == behind then return nil end
  local at, to = rest:find(behind, 1, true)
  -- What is there already stays on the cursor's line, or no virtual text could show the result.
  if not at or rest:sub(1, to):find("\n", 1, true) then
    if behind ~= "" then return nil end
  end
  -- Nor could it show an accent put on a character of the buffer, or taken off one.
  if composes(line, cursor + 1) or composes(line, last + 1) then return nil end
  local result = line:sub(1, cursor) .. rest .. tail
  local joints = { cursor + 1, cursor + at, cursor + to + 1, cursor + #rest + 1 }
  for _, joint in ipairs(joints) do
    if composes(result, joint) then return nil end
  end
  return { before = rest:sub(1, at - 1), behind = behind, after = rest:sub(to + 1) }
end

---@alias diffill.Amount "all"|"word"|"line"

---@param text string
---@return string
local function first_word(text)
  local space = text:match("^%s*")
  local word = vim.fn.matchstr(text:sub(#space + 1), [[^\%(\k\+\|\%(\k\@!\S\)\+\)]])
  local found = space .. word
  return found ~= "" and found or text
end

---What to put at the cursor; there is always something new in it.
---@param rest diffill.Rest
---@param amount diffill.Amount
---@return string text
---@return integer replaced how many bytes behind the cursor it replaces
function M.take(rest, amount)
  local before, behind, after = rest.before, rest.behind, rest.after
  if amount == "word" and before ~= "" then return first_word(before), 0 end
  if amount == "word" then
    after = first_word(after)
  elseif amount == "line" then
    after = after:match(before ~= "" and "^[^\n]*" or "^\n?[^\n]*")
  end
  return before .. behind .. after, #behind
end

return M
