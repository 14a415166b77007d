-- How a saga is read. The loader puts it before each script that includes it.
--
--! include saga
-- Reads fields that are asked for next, in one call.
local function read(fields)
  if #fields == 0 then return end
  local values = redis.call('HMGET', SAGA, unpack(fields))
  for k = 1, #fields do
    if saga[fields[k]] == nil then saga[fields[k]] = values[k] end
  end
end

local function get(field)
  if saga[field] == nil then saga[field] = redis.call('HGET', SAGA, field) end
  return saga[field]
end

-- Reads the states and the claim of the line, or of a branch.
local function open_row(states, claim)
  for code, value in states:gmatch('([%w:]+)=(%a+)') do state[code] = value end
  if claim == '' then return end
  local code, attempt, at, given_up_at, token, owner = claim:match('^([%w:]+)|(%d+)|(%d+)|(%d+)|([^|]*)|(.*)$')
  running = {code = code, attempt = attempt, at = at, given_up_at = given_up_at, token = token, owner = owner}
end

-- Reads the saga; answers whether there is one.
local function open_saga()
  read({'status', 'direction', 'deadline', 'definition', 'paused', 'name', 'created', 'states', 'claim', 'awaited', 'trace'})
  was = saga.status
  if not was then return false end
  if was == 'stuck' then read({'parked'}) end
  saga.deadline, saga.paused = tonumber(saga.deadline) or false, saga.paused ~= '' and saga.paused
  plan = redis.call('HGET', DEFINITIONS, saga.definition .. ':records')
--! shaped
    or redis.call('HGET', DEFINITIONS, saga.definition .. ':plan')
    or redis.call('HGET', DEFINITIONS, saga.definition .. ':plan3')
--! plain
    or '' -- the saga needs the other script
--! end
  for code in plan:match('^[^\n]*'):gmatch('%w+') do codes[#codes + 1] = code end
  open_row(saga.states, saga.claim)
  if saga.direction == 'backward' then settling = saga.states:match('(p%d+)=running') end  --! shaped
  return true
end
