-- One saga as the scripts read it, and what remains of it. The loader puts it before each script that
-- includes it.
--
-- KEYS[1] hash  the saga                  KEYS[2] list  its history, JSON events in order
-- KEYS[3] zset  due sagas of the shard    KEYS[4] hash  definitions of the shard: <digest> is the
--         itinerary as JSON, for workers; <digest>:records is what scripts read of it
-- KEYS[5] to KEYS[10] zset  sagas of the shard by status (see index_of), scored by their last move
-- KEYS[11] hash  what the shard counts: see `transition`
-- ARGV[1] the saga's id
--
-- A saga's fields: name definition input status direction outcome error reason created ended (when)
-- deadline, or '' paused (when), or '' act (the token of a person's last one) messages (how many were numbered)
-- dispatches (of the same message) sent (when it was to arrive)
--   states   of its records, as 1=done,2=running; one that is not in there was never touched, and is pending
--            pending running done failed unknown skipped stuck
--   claim    of the one record that runs, or '': <record>|<attempt's number>|<when it was claimed>|
--            <when it is given up>|<token>|<owner>
-- Then for each record r, which is a step's number and f for its fallback, u for its undo, fu for the
-- fallback's undo:
--   r.t token     of its last claim that ended
--   r.a attempts  spent                 r.r tries    claims that ended unfinished
--   r.u           1 once an attempt ended of which nobody knows the effect
--   r.p deaths    claims whose owner died before the attempt's time was up
--   r.k unregistered messages that met a worker which does not know the task
--   r.b budget    attempts,deaths,unregistered when a person last renewed it: what counts is what came since
--   r.w           when it may run again, while it waits for that
--   r.x output    JSON                  r.e error    JSON          r.n outcome if the switch fails
-- Times are milliseconds of Redis TIME. JSON is passed through, never read.
--
local SAGA, HISTORY, DUE, DEFINITIONS, COUNTERS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[11]
local ID = ARGV[1]
local clock = redis.call('TIME')
-- A number that is written as it is costs as much as a call of Redis: what is written often is a text, or has '%d'.
local NOW_TEXT = clock[1] .. ('00000' .. clock[2]):sub(-6, -4)
local NOW = tonumber(NOW_TEXT)

-- A table, a closure or a local that closures share costs every script; a call of Redis costs as much as several.
local saga = {}  -- those of its fields that were read, or set since; false where it has none
local was        -- its status before
local plan       -- the codes of its records in order, then a line each:
                 -- <path>|<code>:<limit in ms>:<sources of its input>:<c if a failure is passed over>
local codes = {} -- of all records, in that order
local state = {} -- a record's state, nil while it was never touched
local running    -- the claim of the record that runs: its code, attempt, at, given_up_at, token and owner

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

-- Reads the saga; answers whether there is one.
local function open_saga()
  read({'status', 'direction', 'deadline', 'definition', 'paused', 'name', 'created', 'states', 'claim'})
  was = saga.status
  if not was then return false end
  saga.deadline, saga.paused = tonumber(saga.deadline) or false, saga.paused ~= '' and saga.paused
  plan = redis.call('HGET', DEFINITIONS, saga.definition .. ':records')
  for code in plan:match('^[^\n]*'):gmatch('%w+') do codes[#codes + 1] = code end
  for code, value in saga.states:gmatch('(%w+)=(%a+)') do state[code] = value end
  if saga.claim ~= '' then
    local code, attempt, at, given_up_at, token, owner = saga.claim:match('^(%w+)|(%d+)|(%d+)|(%d+)|([^|]*)|(.*)$')
    running = {code = code, attempt = attempt, at = at, given_up_at = given_up_at, token = token, owner = owner}
  end
  return true
end

-- The itinerary as JSON, or '' for a caller whose known digests have it.
local function itinerary_for(known)
  if (',' .. known .. ','):find(',' .. saga.definition .. ',', 1, true) then return '' end
  return redis.call('HGET', DEFINITIONS, saga.definition)
end

local function has_ended() return saga.status == 'completed' or saga.status == 'compensated' end
local function is_over() return has_ended() or saga.status == 'stuck' end

local function index_of(status)
  for k, each in ipairs({'pending', 'running', 'compensating', 'completed', 'compensated', 'stuck'}) do
    if each == status then return KEYS[4 + k] end
  end
end

-- The record that a message's path names: <step>, <step>:fallback, <step>:undo, <step>:fallback:undo.
local function record_of(path)
  local _, last = plan:find('\n' .. path .. '|', 1, true)
  return last and plan:match('^%w+', last + 1)
end
local function path_of(code) return plan:match('\n([^|\n]+)|' .. code .. ':') end
local function has_record(code) return plan:find('|' .. code .. ':', 1, true) ~= nil end
-- A record's limit in ms, the numbers of the steps its input comes from, joined by , (i is the saga's input),
-- and c where its failure is passed over.
local function plan_of(code)
  local _, last = plan:find('|' .. code .. ':', 1, true)
  return plan:match('^(%d+):([^:]*):(%a*)', last + 1)
end
local function is_undo(code) return code:sub(-1) == 'u' end

local function is_open(code) return not state[code] or state[code] == 'pending' or state[code] == 'running' end
local function was_claimed(code)
  return state[code] ~= nil and (state[code] ~= 'pending' or get(code .. '.r') ~= false)
end
-- What a record has used since a person last renewed its budget: attempts, deaths, unregistered.
local function used(code)
  read({code .. '.a', code .. '.p', code .. '.k', code .. '.b'})
  local attempts, deaths, unregistered = (get(code .. '.b') or '0,0,0'):match('(%d+),(%d+),(%d+)')
  return (get(code .. '.a') or 0) - attempts, (get(code .. '.p') or 0) - deaths,
    (get(code .. '.k') or 0) - unregistered
end

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
