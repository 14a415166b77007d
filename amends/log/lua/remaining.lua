-- What remains of a saga.
--
--! include saga
local function is_undo(code) return code:sub(-1) == 'u' end
local function is_verification(code) return code:sub(-1) == 'v' end  --! shaped
local function is_wait(code) return code ~= nil and code:find('[wk]u?$') ~= nil end -- or a child, or its undo  --! shaped
local function is_open(code) return not state[code] or state[code] == 'pending' or state[code] == 'running' or state[code] == 'waiting' end  --! shaped
local function is_open(code) return not state[code] or state[code] == 'pending' or state[code] == 'running' end  --! plain
-- Every record that the saga's direction could come to, in the order in which they run. Undo runs
-- in reverse order of start; a step starts after the one before, a fallback after its primary. What is verified
-- is so before its undo.
local function path_ahead()
  if saga.direction == 'forward' then return codes end
  local list = {}
  for k = #codes, 1, -1 do
    local code = codes[k]
    if is_undo(code) or is_verification(code) or state[code] == 'waiting' then list[#list + 1] = code end  --! shaped
    if is_undo(code) then list[#list + 1] = code end  --! plain
  end
  return list
end

local function is_due(code)
  if not is_open(code) then return false end
  if is_verification(code) then return state[code] ~= nil end  --! shaped
  if saga.direction == 'backward' then
    if state[code] == 'waiting' then return true end  --! shaped
    if state[code:sub(1, -2) .. 'v'] == 'stuck' then return false end -- nobody knows whether there is anything to undo  --! shaped
    local owing = state[code:sub(1, -2)]
    return owing == 'done' or owing == 'unknown' or owing == 'skipped'
  end
  -- The void of a primary and its fallback remain only once the switch has made them pending.
  return state[code] ~= nil or not code:find('[fu]')
end

-- What remains to be done of the line, or of the branch that is open, in order: the one place that decides it. At most so
-- many, all of it by default. Past the point of no return nothing does after what failed for good.
local function remaining(most)
  local list = {}
  if settling then return list end  --! shaped
  for _, code in ipairs(path_ahead()) do
    if #list == most or state[code] == 'stuck' and saga.direction == 'forward' then break end  --! shaped
    if #list == most then break end  --! plain
    if is_due(code) then list[#list + 1] = code end
  end
  return list
end
