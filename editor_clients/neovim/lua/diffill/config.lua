---Settings: `vim.b.diffill` over `vim.g.diffill` over the defaults, read anew each time.
---Either may also be `false` or `true`: ghost text off or on.

local M = {}

---@class diffill.Config.Ghost
---@field enabled boolean show ghost text while typing
---@field debounce_ms integer typing pauses this long before the server is asked

---@class diffill.Config.Preview
---@field enabled boolean show an edit while it is made, and wait for accept or reject

---@class diffill.Config
---@field ghost diffill.Config.Ghost
---@field preview diffill.Config.Preview
M.defaults = {
  ghost = { enabled = true, debounce_ms = 150 },
  preview = { enabled = true },
}

---@param given any
---@return table
local function as_table(given)
  if type(given) == "boolean" then return { ghost = { enabled = given } } end
  return type(given) == "table" and given or {}
end

---Overwrites `settings` with what is `given`; a bad value keeps what is there.
---@param settings table
---@param given table
---@param path string
---@param problems string[]
local function overlay(settings, given, path, problems)
  for key, value in pairs(given) do
    local name = path .. key
    local present = settings[key]
    if present == nil then
      problems[#problems + 1] = ("there is no setting `%s`"):format(name)
    elseif type(value) ~= type(present) then
      problems[#problems + 1] = ("`%s` is %s, not a %s: %s is used"):format(
        name,
        vim.inspect(value),
        type(present),
        vim.inspect(present)
      )
    elseif type(value) == "table" then
      overlay(present, value, name .. ".", problems)
    else
      settings[key] = value
    end
  end
end

---@param buf integer? nil for what holds everywhere
---@return diffill.Config settings
---@return string[] problems one sentence for each setting that was not used
function M.get(buf)
  local settings, problems = vim.deepcopy(M.defaults), {}
  overlay(settings, as_table(vim.g.diffill), "", problems)
  if buf then overlay(settings, as_table(vim.b[buf].diffill), "", problems) end
  return settings, problems
end

---Turns ghost text on or off, everywhere or in one buffer.
---@param enabled boolean
---@param buf integer? nil for everywhere
function M.switch(enabled, buf)
  local scope = buf and vim.b[buf] or vim.g
  scope.diffill =
    vim.tbl_deep_extend("force", as_table(scope.diffill), { ghost = { enabled = enabled } })
end

return M
