-- What remains of a saga.
--
--! include saga
local function is_undo(code) return code:sub(-1) == 'u' end
local function is_open(code) return not state[code] or state[code] == 'pending' or state[code] == 'running' end
-- Every record that the saga's direction could come to, in the order in which they run. Undo runs
-- in reverse order of start; a step starts after the one before, a fallback after its primary.
local function path_ahead()
  if saga.direction == 'forward' then return codes end
  local list = {}
  for k = #codes, 1, -1 do
    if is_undo(codes[k]) then list[#list + 1] = codes[k] end
  end
  return list
end

local function is_due(code)
  if not is_open(code) then return false end
  if saga.direction == 'backward' then
    local owing = state[code:sub(1, -2)]
    return owing == 'done' or owing == 'unknown' or owing == 'skipped'
  end
  -- The void of a primary and its fallback remain only once the switch has made them pending.
  return state[code] ~= nil or not code:find('%a')
end

-- What remains to be done, in order: the one place that decides it. At most so many, all of it by default.
local function remaining(most)
  local list = {}
  for _, code in ipairs(path_ahead()) do
    if #list == most then break end
    if is_due(code) then list[#list + 1] = code end
  end
  return list
end
