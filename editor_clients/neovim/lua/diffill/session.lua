---One explicit edit a buffer: asked for, watched while it is made, accepted or rejected. That of
---several buffers is one session each, which stand and fall together.

local client = require("diffill.client")
local config = require("diffill.config")
local diff = require("diffill.diff")
local edits = require("diffill.edits")
local frames = require("diffill.frames")
local notice = require("diffill.notice")
local position = require("diffill.position")
local preview = require("diffill.preview")
local quickfix = require("diffill.quickfix")

local M = {}

local HINT = ":Diffill accept or :Diffill reject"
local CONTENT_MODIFIED, REQUEST_FAILED = -32801, -32803

---@class diffill.Session
---@field id string names the edit in the server's messages
---@field buf integer
---@field title string what is being done, for people
---@field state "running"|"proposed"
---@field client vim.lsp.Client
---@field request integer? id of the request while it runs
---@field frames table<integer, diffill.Shown> by span
---@field anchored diffill.Anchored[] the proposal
---@field diff integer? the buffer that shows the text as proposed
---@field group table<integer, diffill.Session> the edit's sessions, itself too, by buffer
---@field list integer? the quickfix list of an edit of several buffers

---@type table<integer, diffill.Session> by buffer
local sessions = {}
local count = 0

local TITLES = {
  ["diffill.fill"] = "filling",
  ["diffill.fillAll"] = "filling all holes",
  ["diffill.fillOpen"] = "filling the holes of all open files",
  ["diffill.rewrite"] = "rewriting",
  ["diffill.repair"] = "repairing",
  ["diffill.reroll"] = "rolling again",
}

---Takes a session out of its edit; the others stay.
---@param session diffill.Session
local function leave(session)
  if sessions[session.buf] == session then sessions[session.buf] = nil end
  session.group[session.buf] = nil
  if session.diff then diff.close(session.diff) end
  edits.forget(session.buf, session.anchored)
  preview.clear(session.buf)
  frames.clear(session.buf)
end

---Ends an edit, in all of its buffers.
---@param session diffill.Session
local function close(session)
  for _, each in ipairs(vim.tbl_values(session.group)) do
    leave(each)
  end
  if session.list then quickfix.close(session.list) end
  vim.cmd.redrawstatus()
end

---Ends an edit one of whose buffers is not what it was.
---@param session diffill.Session
---@param buf integer
local function close_stale(session, buf)
  local several = vim.tbl_count(session.group) > 1
  close(session)
  notice(edits.stale(buf, several), vim.log.levels.WARN)
end

---@param session diffill.Session
---@return diffill.Session[] concerned the sessions of its edit that have something to accept
local function concerned(session)
  return vim.tbl_filter(
    function(each) return #each.anchored > 0 end,
    vim.tbl_values(session.group)
  )
end

---Draws what is proposed, in all buffers.
---@param session diffill.Session
local function draw_proposal(session)
  local all = concerned(session)
  local places = {} ---@type table<integer, diffill.Edit[]>
  for _, each in ipairs(all) do
    places[each.buf] = edits.today(each.buf, each.anchored) or {}
  end
  if session.list or vim.tbl_count(session.group) > 1 then
    local list = quickfix.show(places, session.list)
    for _, each in pairs(session.group) do
      each.list = list
    end
  end
  local files = #all > 1 and (" in all %d files, one `file` or each `here`"):format(#all)
  for buf, today in pairs(places) do
    preview.propose(buf, today, HINT .. (files or #today > 1 and ", or each `here`" or ""))
  end
end

---Makes a buffer part of an edit, instead of whatever edit it had.
---@param first diffill.Session of that edit
---@param buf integer
---@return diffill.Session
local function join(first, buf)
  if first.group[buf] then return first.group[buf] end
  M.drop(buf)
  local session = vim.tbl_extend("force", first, { buf = buf, frames = {}, anchored = {} })
  session.group[buf] = session
  sessions[buf] = session
  return session
end

---@param session diffill.Session
---@param result { edit: lsp.WorkspaceEdit?, reason: string? }
local function propose(session, result)
  local unchanged = "it proposes to leave the text as it is"
  if not result.edit then
    close(session)
    return notice(result.reason or unchanged)
  end
  local found, problem = edits.read(result.edit, session.client.offset_encoding)
  if not found or not next(found) then
    close(session)
    return notice(problem or unchanged, vim.log.levels.WARN)
  end
  for buf, each in pairs(found) do
    local part = join(session, buf)
    part.anchored = edits.anchor(buf, each)
  end
  for _, each in pairs(session.group) do
    each.state, each.request = "proposed", nil
  end
  draw_proposal(session)
  vim.cmd.redrawstatus()
end

---@param session diffill.Session
---@param failure lsp.ResponseError?
---@param result table?
local function on_answer(session, failure, result)
  if sessions[session.buf] ~= session then return end
  if failure then
    close(session)
    local expected = failure.code == CONTENT_MODIFIED or failure.code == REQUEST_FAILED
    return notice(failure.message, expected and vim.log.levels.WARN or vim.log.levels.ERROR)
  end
  if not result then return close(session) end -- the server had it applied
  propose(session, result)
end

---@param found vim.lsp.Client
---@param buf integer
---@param command string
---@param argument table
local function ask(found, buf, command, argument)
  M.drop(buf)
  count = count + 1
  local session = { ---@type diffill.Session
    id = ("nvim-%d-%d"):format(vim.fn.getpid(), count),
    buf = buf,
    title = TITLES[command],
    state = "running",
    client = found,
    frames = {},
    anchored = {},
    group = {},
  }
  session.group[buf] = session
  sessions[buf] = session
  if not argument.uris then
    argument = vim.tbl_extend("keep", argument, {
      uri = vim.uri_from_bufnr(buf),
      version = vim.lsp.util.buf_versions[buf],
    })
  end
  -- Without a preview the server applies the edit itself, as it does for any other editor.
  if config.get(buf).preview.enabled then
    argument.id, argument.apply = session.id, false
  end
  local params = { command = command, arguments = { argument } }
  local sent, request = found:request(
    "workspace/executeCommand",
    params,
    function(failure, result) on_answer(session, failure, result) end,
    buf
  )
  session.request = request
  if not sent then
    close(session)
    notice("the language server has ended", vim.log.levels.ERROR)
  end
  vim.cmd.redrawstatus()
end

---Starts an edit; it takes the place of one that is running or waits for an answer.
---@param buf integer
---@param command string an edit of the server's
---@param argument table the command's; places may stand for its `range` or `ranges`
function M.start(buf, command, argument)
  if not vim.bo[buf].modifiable then
    return notice("the buffer is not modifiable", vim.log.levels.WARN)
  end
  client.with(buf, function(found)
    argument = vim.deepcopy(argument)
    local places = argument.places ---@type diffill.Place[]?
    argument.places = nil
    if places then
      local ranges = vim.tbl_map(
        function(place) return position.range(buf, place, found.offset_encoding) end,
        places
      )
      argument[#ranges == 1 and "range" or "ranges"] = #ranges == 1 and ranges[1] or ranges
    end
    ask(found, buf, command, argument)
  end)
end

---Starts a rewrite, asking for the instruction if there is none.
---@param buf integer
---@param argument table
function M.rewrite(buf, argument)
  if argument.instruction then return M.start(buf, "diffill.rewrite", argument) end
  vim.ui.input({ prompt = "Rewrite how? " }, function(instruction)
    if not instruction or vim.trim(instruction) == "" then return end
    M.start(
      buf,
      "diffill.rewrite",
      vim.tbl_extend("force", argument, { instruction = instruction })
    )
  end)
end

---@param request string
---@return diffill.Session?
local function running(request)
  for _, session in pairs(sessions) do
    if session.id == request and session.state == "running" then return session end
  end
end

---Shows a step of a running edit.
---@param frame diffill.Frame | { request: string, uri: string }
function M.on_frame(frame)
  local session = running(frame.request)
  local buf = session and vim.uri_to_bufnr(frame.uri)
  if not session or not vim.api.nvim_buf_is_loaded(buf) then return end
  frames.take(buf, join(session, buf).frames, frame, session.client.offset_encoding)
end

---Takes the frames away once they lead nowhere.
---@param finish { request: string, outcome: "done"|"refused"|"cancelled"|"failed" }
function M.on_frame_end(finish)
  local session = running(finish.request)
  if not session or finish.outcome == "done" then return end
  for buf in pairs(session.group) do
    preview.clear(buf)
  end
end

---@param buf integer
---@return diffill.Session?
function M.of(buf) return sessions[buf] end

---Ends whatever edit a buffer has, in its other buffers too; nothing is applied.
---@param buf integer
---@return "running"|"proposed"|nil state it was in
function M.drop(buf)
  local session = sessions[buf]
  if not session then return nil end
  if session.request then session.client:cancel_request(session.request) end
  close(session)
  return session.state
end

---@param session diffill.Session
---@return string[]? lines of the buffer with the proposal, nil if its lines have changed
local function proposed(session)
  local today = edits.today(session.buf, session.anchored)
  return today and edits.applied(session.buf, today)
end

---Shows the proposal of the current buffer as a diff, or closes the one there is.
---@param buf integer
---@return boolean proposed whether there was one
function M.diff(buf)
  local session = sessions[buf]
  if not session or session.state ~= "proposed" then return false end
  if session.diff and diff.close(session.diff) then
    session.diff = nil
    return true
  end
  local lines = proposed(session)
  if not lines then
    close_stale(session, buf)
    return true
  end
  session.diff = diff.open(buf, lines)
  return true
end

---Ends what of a proposal is at the cursor, or in its file.
---@param session diffill.Session of the current buffer
---@param scope "here"|"file"
---@param act fun(buf: integer, ended: diffill.Edit[])
local function finish_some(session, scope, act)
  local today = edits.today(session.buf, session.anchored)
  if not today then return close_stale(session, session.buf) end
  local chosen = scope == "here" and edits.at(today, vim.api.nvim_win_get_cursor(0)[1] - 1)
  local ended, rest = {}, {} ---@type diffill.Edit[], diffill.Anchored[]
  for index, edit in ipairs(today) do
    if not chosen or chosen[index] then
      ended[#ended + 1] = edit
      edits.forget(session.buf, { session.anchored[index] })
    else
      rest[#rest + 1] = session.anchored[index]
    end
  end
  session.anchored = rest
  local others = concerned(session)
  if #others == 0 then
    close(session)
  elseif #rest == 0 then
    leave(session)
  end
  act(session.buf, ended)
  if #others > 0 then draw_proposal(others[1]) end
  if #rest > 0 and session.diff then diff.show(session.diff, proposed(session)) end
end

---Ends all of a proposal.
---@param session diffill.Session
---@param act fun(buf: integer, ended: diffill.Edit[])
local function finish_all(session, act)
  local ended = {} ---@type table<integer, diffill.Edit[]>
  for _, each in ipairs(concerned(session)) do
    local today = edits.today(each.buf, each.anchored)
    if not today then return close_stale(session, each.buf) end
    ended[each.buf] = today
  end
  close(session)
  for buf, each in pairs(ended) do
    act(buf, each)
  end
end

---@param buf integer the quickfix window's
---@return diffill.Session? session whose places the window lists
local function listed(buf)
  if vim.bo[buf].buftype ~= "quickfix" then return nil end
  for _, session in pairs(sessions) do
    if session.list and quickfix.is_current(session.list) then return session end
  end
end

---@param buf integer
---@param scope "here"|"file"|nil
---@param act fun(buf: integer, ended: diffill.Edit[])
---@return boolean proposed whether there was something to end
local function finish(buf, scope, act)
  local session = sessions[buf] or (not scope and listed(buf)) or nil
  if not session or session.state ~= "proposed" then return false end
  if scope and #session.anchored == 0 then return false end
  if scope then
    finish_some(session, scope, act)
  else
    finish_all(session, act)
  end
  return true
end

---Applies the proposal, in all of its buffers, unless lines it is about have changed.
---@param buf integer one of them, or the quickfix window's
---@param scope "here"|"file"|nil only what of it is at the cursor in the buffer, or in all of that
---@return boolean proposed whether there was one
function M.accept(buf, scope) return finish(buf, scope, edits.apply) end

---Takes the proposal, or only a part of it, off the screen.
---@param buf integer one of its buffers, or the quickfix window's
---@param scope "here"|"file"|nil
---@return boolean proposed whether there was one
function M.reject(buf, scope)
  return finish(buf, scope, function() end)
end

---Ends the running edit of a buffer that is closed, or whose server is gone.
---@param buf integer
---@param client_id integer
function M.on_detach(buf, client_id)
  local session = sessions[buf]
  if not session or session.state ~= "running" or session.client.id ~= client_id then return end
  if not session.client:is_stopped() then return M.drop(buf) end
  close(session)
  notice("the language server has ended; the next command starts it again", vim.log.levels.WARN)
end

return M
