-- The branches of a stage, and how one of them is opened in the place of the line.
--
--! include open_saga
--! include paths
--! shaped
-- The stage that a record is in and the number of its branch there; nil for a record of the line.
local function branch_of(code)
  local item, of_plan = code:match('^(%d+):(%w+)$')
  local stage, number = plan:match('|' .. (of_plan or code) .. ':%d+:[^:\n]*:%a*:?%d*:(p%d+)%.(%d*)')
  if not stage then return nil end
  if number == '' then number = item elseif item then number = nil end
  return stage, number
end

-- Opens a branch in the place of the line, or of another branch that did not move. `text` is its field, where that was read.
local function enter_branch(stage, number, text)
  if not branch then line = {codes = codes, state = state, has_moved = has_moved} end
  local field = stage .. '.' .. number
  local sent, dispatches, message, states, claim = (text or get(field) or '0|0|0||'):match('^(%d+)|(%d+)|(%d+)|([^|]*)|(.*)$')
  branch = {stage = stage, number = number, field = field, sent = tonumber(sent), dispatches = tonumber(dispatches),
    message = tonumber(message)}
  codes, state, running, has_moved = {}, {}, nil, false
  local list, item = plan:match('\n#' .. stage .. '%.' .. number .. '|([^\n]*)'), ''
  if not list then list, item = plan:match('\n#' .. stage .. '%.|([^\n]*)'), number .. ':' end
  for code in list:gmatch('%w+') do codes[#codes + 1] = item .. code end
  open_row(states, claim)
end

-- The record that a path names, or nil; a branch that it is in is open then.
local function open_record(path)
  local code = record_of(path)
  if not code then return nil end
  local stage, number = branch_of(code)
  if not stage then return code end
  if not number or not get(stage .. '.' .. number) then return nil end
  if not branch or branch.field ~= stage .. '.' .. number then enter_branch(stage, number) end
  return code
end
--! plain
local open_record = record_of
--! end
