---One explicit edit a buffer: asked for, watched while it is made, accepted or rejected.

local client = require("diffill.client")
local config = require("diffill.config")
local diff = require("diffill.diff")
local edits = require("diffill.edits")
local notice = require("diffill.notice")
local position = require("diffill.position")
local preview = require("diffill.preview")

local M = {}

local HINT = ":Diffill accept or :Diffill reject"
local HINT_SEVERAL = HINT .. ", or each `here`"
local CONTENT_MODIFIED, REQUEST_FAILED = -32801, -32803
local FRAMES = vim.api.nvim_create_namespace("diffill.frames")

---@class diffill.Session
---@field id string names the edit in the server's messages
---@field buf integer
---@field title string what is being done, for people
---@field state "running"|"proposed"
---@field client vim.lsp.Client
---@field request integer? id of the request while it runs
---@field frames table<integer, { mark: integer, chunks: diffill.Chunk[] }> by span
---@field anchored diffill.Anchored[]? the proposal
---@field diff integer? the buffer that shows the text as proposed

---@type table<integer, diffill.Session> by buffer
local sessions = {}
local count = 0

local TITLES = {
  ["diffill.fill"] = "filling",
  ["diffill.fillAll"] = "filling all holes",
  ["diffill.rewrite"] = "rewriting",
  ["diffill.repair"] = "repairing",
  ["diffill.reroll"] = "rolling again",
}

---@param session diffill.Session
local function close(session)
  if sessions[session.buf] == session then sessions[session.buf] = nil end
  if session.diff then diff.close(session.diff) end
  edits.forget(session.buf, session.anchored or {})
  preview.clear(session.buf)
  if vim.api.nvim_buf_is_valid(session.buf) then
    vim.api.nvim_buf_clear_namespace(session.buf, FRAMES, 0, -1)
  end
  vim.cmd.redrawstatus()
end

---@param session diffill.Session
local function draw_proposal(session)
  local today = edits.today(session.buf, session.anchored)
  local parts = vim.tbl_map(function(edit) ---@param edit diffill.Edit
    return vim.tbl_extend("force", edit, {
      chunks = { { table.concat(edit.lines, "\n"), "DiffillProposed" } },
    })
  end, today or {})
  preview.draw(session.buf, parts, #parts > 1 and HINT_SEVERAL or HINT)
end

---@param session diffill.Session
---@param result { edit: lsp.WorkspaceEdit?, reason: string? }
local function propose(session, result)
  if not result.edit then
    close(session)
    return notice(result.reason or "it proposes to leave the text as it is")
  end
  local found, problem = edits.read(result.edit, session.client.offset_encoding)
  if found and found.buf ~= session.buf then
    problem = "the server sent an edit of another file"
  elseif found and #found.edits == 0 then
    problem = "it proposes to leave the text as it is"
  end
  if problem or not found then
    close(session)
    return notice(problem or edits.STALE, vim.log.levels.WARN)
  end
  session.state = "proposed"
  session.anchored = edits.anchor(session.buf, found.edits)
  draw_proposal(session)
  vim.cmd.redrawstatus()
end

---@param session diffill.Session
---@param failure lsp.ResponseError?
---@param result table?
local function on_answer(session, failure, result)
  if sessions[session.buf] ~= session then return end
  session.request = nil
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
  }
  sessions[buf] = session
  argument = vim.tbl_extend("keep", argument, {
    uri = vim.uri_from_bufnr(buf),
    version = vim.lsp.util.buf_versions[buf],
  })
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
---@param command "diffill.fill"|"diffill.fillAll"|"diffill.rewrite"|"diffill.repair"|"diffill.reroll"
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

---@param session diffill.Session
local function draw_frames(session)
  local parts = {} ---@type diffill.Part[]
  for _, frame in pairs(session.frames) do
    local mark =
      vim.api.nvim_buf_get_extmark_by_id(session.buf, FRAMES, frame.mark, { details = true })
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
  preview.draw(session.buf, parts)
end

---Shows a step of a running edit; one for a text that is not the buffer's is left out.
---@param frame { request: string, version: integer, range: lsp.Range, span: integer, tokens: diffill.FrameToken[] }
function M.on_frame(frame)
  local session = running(frame.request)
  if not session then return end
  local known = session.frames[frame.span]
  if not known then
    if frame.version ~= vim.lsp.util.buf_versions[session.buf] then return end
    local place = position.place(session.buf, frame.range, session.client.offset_encoding)
    position.clamp(session.buf, place)
    local mark = vim.api.nvim_buf_set_extmark(session.buf, FRAMES, place.row, place.col, {
      end_row = place.end_row,
      end_col = place.end_col,
      strict = false,
    })
    known = { mark = mark, chunks = {} }
    session.frames[frame.span] = known
  end
  known.chunks = preview.chunks(frame.tokens)
  draw_frames(session)
end

---Takes the frames away once they lead nowhere.
---@param finish { request: string, outcome: "done"|"refused"|"cancelled"|"failed" }
function M.on_frame_end(finish)
  local session = running(finish.request)
  if session and finish.outcome ~= "done" then preview.clear(session.buf) end
end

---@param buf integer
---@return diffill.Session?
function M.of(buf) return sessions[buf] end

---Ends whatever edit a buffer has; nothing is applied.
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
    close(session)
    notice(edits.STALE, vim.log.levels.WARN)
    return true
  end
  session.diff = diff.open(buf, lines)
  return true
end

---Divides a proposal: what stands at the cursor, else next below it, else last; and the rest.
---@param today diffill.Edit[] where its edits are, from the top down
---@return table<integer, true> chosen indices of edits; those that share lines go together
local function at_cursor(today)
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  local first = #today
  for index = #today, 1, -1 do
    if today[index].end_row >= row then first = index end
  end
  local chosen = { [first] = true }
  for index = first - 1, 1, -1 do
    if today[index].end_row < today[index + 1].row then break end
    chosen[index] = true
  end
  for index = first + 1, #today do
    if today[index].row > today[index - 1].end_row then break end
    chosen[index] = true
  end
  return chosen
end

---Ends the proposal, or what of it is at the cursor.
---@param buf integer
---@param here boolean? only at the cursor, which is in the buffer
---@param act fun(ended: diffill.Edit[])
---@return boolean proposed whether there was one
local function finish(buf, here, act)
  local session = sessions[buf]
  if not session or session.state ~= "proposed" then return false end
  local today = edits.today(buf, session.anchored)
  if not today then
    close(session)
    notice(edits.STALE, vim.log.levels.WARN)
    return true
  end
  local chosen = here and at_cursor(today)
  local ended, rest = {}, {} ---@type diffill.Edit[], diffill.Anchored[]
  for index, edit in ipairs(today) do
    if not chosen or chosen[index] then
      ended[#ended + 1] = edit
      edits.forget(buf, { session.anchored[index] })
    else
      rest[#rest + 1] = session.anchored[index]
    end
  end
  session.anchored = rest
  if #rest == 0 then close(session) end
  act(ended)
  if #rest > 0 then draw_proposal(session) end
  if #rest > 0 and session.diff then diff.show(session.diff, proposed(session)) end
  return true
end

---Applies the proposal, unless the lines it is about have changed.
---@param buf integer
---@param here boolean? only what of it is at the cursor, which is in the buffer
---@return boolean proposed whether there was one
function M.accept(buf, here)
  return finish(buf, here, function(ended) edits.apply(buf, ended) end)
end

---Takes the proposal, or what of it is at the cursor, off the screen.
---@param buf integer
---@param here boolean?
---@return boolean proposed whether there was one
function M.reject(buf, here)
  return finish(buf, here, function() end)
end

---Ends the running edit of a buffer whose server is gone.
---@param buf integer
---@param client_id integer
function M.on_detach(buf, client_id)
  local session = sessions[buf]
  if not session or session.state ~= "running" or session.client.id ~= client_id then return end
  close(session)
  notice("the language server has ended; the next command starts it again", vim.log.levels.WARN)
end

return M
