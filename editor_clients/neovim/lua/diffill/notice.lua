---Messages to the user.

---@param message string
---@param level integer? of `vim.log.levels`, INFO if left out
return function(message, level)
  vim.notify("Diffill: " .. message, level or vim.log.levels.INFO, { title = "Diffill" })
end
