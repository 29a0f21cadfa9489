---Highlight groups, all of them defaults: a colour scheme or the user overrides any.

local M = {}

local LINKS = {
  DiffillGhost = "Comment",
  DiffillHint = "Comment",
  DiffillContext = "Comment",
  DiffillMasked = "NonText",
  DiffillCommitted = "Normal",
  DiffillRevised = "DiagnosticUnderlineInfo",
  DiffillProposed = "DiffAdd",
  DiffillReplaced = "DiffDelete",
}

-- How much of the text colour a provisional token has, from unsure to sure, and the same in the
-- grey levels of a terminal with 256 colours.
local SHADES = { 0.35, 0.5, 0.65, 0.8 }
local GREYS = { dark = { 240, 243, 246, 249 }, light = { 250, 247, 244, 241 } }

---@param over integer 24-bit colour
---@param under integer 24-bit colour
---@param share number
---@return integer
local function blend(over, under, share)
  local colour = 0
  for shift = 16, 0, -8 do
    local a, b = bit.band(bit.rshift(over, shift), 255), bit.band(bit.rshift(under, shift), 255)
    colour = colour * 256 + math.floor(share * a + (1 - share) * b + 0.5)
  end
  return colour
end

local function define()
  for group, link in pairs(LINKS) do
    vim.api.nvim_set_hl(0, group, { link = link, default = true })
  end
  local dark = vim.o.background == "dark"
  local normal = vim.api.nvim_get_hl(0, { name = "Normal", link = false })
  local fg = normal.fg or (dark and 0xe0e2ea or 0x14161b)
  local bg = normal.bg or (dark and 0x14161b or 0xe0e2ea)
  for level, share in ipairs(SHADES) do
    vim.api.nvim_set_hl(0, "DiffillProvisional" .. level, {
      fg = blend(fg, bg, share),
      ctermfg = GREYS[vim.o.background][level],
      default = true,
    })
  end
end

---@param confidence number 0 to 1
---@return string group
function M.provisional(confidence)
  local level = math.floor(confidence * #SHADES) + 1
  return "DiffillProvisional" .. math.max(1, math.min(#SHADES, level))
end

---Defines the groups, now and after every change of the colour scheme.
function M.register()
  define()
  vim.api.nvim_create_autocmd("ColorScheme", {
    group = vim.api.nvim_create_augroup("diffill.highlights", {}),
    callback = define,
  })
end

return M
