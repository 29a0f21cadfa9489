if vim.g.loaded_diffill then return end
vim.g.loaded_diffill = true
require("diffill.commands").register()
