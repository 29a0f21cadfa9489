---`:checkhealth diffill`

local client = require("diffill.client")
local config = require("diffill.config")

local M = {}

local health = vim.health

local function check_editor()
  health.start("Neovim")
  if vim.fn.has("nvim-0.11") == 0 then return health.error("Neovim 0.11 or newer is needed") end
  health.ok("Neovim " .. tostring(vim.version()))
  health.info(
    "ghost text: "
      .. (vim.lsp.inline_completion and "the editor's own" or "drawn by the plugin (before 0.12)")
  )
end

---@return boolean found
local function check_program()
  health.start("Language server")
  local settings = vim.lsp.config[client.NAME]
  local command = settings and settings.cmd
  if type(command) ~= "table" then
    health.info("`cmd` is a function: there is no program to look for")
    return true
  end
  local path = vim.fn.exepath(command[1])
  if path == "" then
    health.error(("`%s` is not on your PATH"):format(command[1]), {
      "Install Diffill (`pipx install diffill`), or name its place: "
        .. 'vim.lsp.config("diffill", { cmd = { "/path/to/diffill", "lsp" } })',
    })
    return false
  end
  health.ok(("`%s` is %s"):format(command[1], path))
  return true
end

local function check_clients()
  if vim.lsp.is_enabled(client.NAME) then
    health.ok("it starts with the files it is for")
  else
    health.warn("it is not enabled", { 'Add vim.lsp.enable("diffill") to your init.lua' })
  end
  local clients = vim.lsp.get_clients({ name = client.NAME })
  if #clients == 0 then return health.info("it is not running") end
  for _, each in ipairs(clients) do
    local version = (each.server_info or {}).version or "of unknown version"
    health.ok(("server %s is running (client %d)"):format(version, each.id))
    if not each.server_capabilities.inlineCompletionProvider then
      health.warn("this server has no inline completion: there is no ghost text")
    end
  end
end

---@param buf integer
local function check_settings(buf)
  health.start("Settings")
  local settings, problems = config.get(buf)
  for _, problem in ipairs(problems) do
    health.error(problem)
  end
  if #problems == 0 then health.ok("vim.g.diffill and vim.b.diffill are understood") end
  health.info(vim.inspect(settings))
end

local function check_maps()
  health.start("Maps")
  local mapped = {} ---@type string[]
  for _, mode in ipairs({ "n", "x", "i" }) do
    for _, map in ipairs(vim.api.nvim_get_keymap(mode)) do
      local target = (map.rhs or ""):match("^<Plug>(%b())$")
      if target and vim.startswith(target, "(diffill-") then
        mapped[#mapped + 1] = ("%s %s: %s"):format(mode, map.lhs, target:sub(2, -2))
      end
    end
  end
  if #mapped == 0 then
    health.info("no key is mapped to a <Plug>(diffill-…); see |diffill-maps|")
  else
    health.ok(table.concat(mapped, "\n"))
  end
end

function M.check()
  -- The report opens in a buffer of its own; the settings are those of the one before it.
  local buf = vim.fn.bufnr("#")
  check_editor()
  if check_program() then check_clients() end
  check_settings(buf > 0 and buf or vim.api.nvim_get_current_buf())
  check_maps()
end

return M
