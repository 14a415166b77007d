-- One saga as the scripts read it, and what remains of it. The loader puts it before each script that
-- includes it.
--
-- KEYS[1] hash  the saga                  KEYS[2] list  its history, JSON events in order
-- KEYS[3] zset  due sagas of the shard    KEYS[4] hash  definitions of the shard: <digest> is the
--         itinerary as JSON, for workers; <digest>:plan is what scripts read of it
-- KEYS[5] to KEYS[10] zset  sagas of the shard in the order of STATUSES, scored by their last move
-- KEYS[11] hash  what the shard counts: see `moves`
-- ARGV[1] the saga's id
--
-- A saga's fields: name definition input status direction outcome error reason created deadline
-- ended paused (when) act (the token of a person's last one) messages (how many were numbered)
-- dispatches (of the same message) sent (when it was to arrive). Then for each record
-- r, which is a step's number and f for its fallback, u for its undo, fu for the fallback's undo:
--   r.s state     pending running done failed unknown skipped stuck; a record without one is pending
--   r.t token     of its claim          r.o owner    of its claim     r.c when it was claimed
--   r.a attempts  spent                 r.r tries    claims that ended unfinished
--   r.u           1 once an attempt ended of which nobody knows the effect
--   r.p deaths    claims whose owner died before the attempt's time was up
--   r.k unregistered messages that met a worker which does not know the task
--   r.b budget    attempts,deaths,unregistered when a person last renewed it: what counts is what came since
--   r.w           when it may run again r.l          when its running attempt is given up
--   r.x output    JSON                  r.e error    JSON          r.n outcome if the switch fails
-- Times are milliseconds of Redis TIME. JSON is passed through, never read.
--
local SAGA, HISTORY, DUE, DEFINITIONS, COUNTERS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[11]
local STATUSES = {'pending', 'running', 'compensating', 'completed', 'compensated', 'stuck'}
local ID = ARGV[1]
local clock = redis.call('TIME')
local NOW = clock[1] * 1000 + math.floor(clock[2] / 1000)

local saga_name, created, was, status, direction, deadline, digest, paused -- was: its status before
-- A table or a closure more in here costs every script; a call of Redis costs as much as two of them.
local steps = {}    -- their names, in their order
local numbers = {}  -- a step's number by its name, as a text: the code of its own record
local switches = {} -- by code, those that have a fallback
local undone = {}   -- by code, those that have an undo
local passed = {}   -- by code, those whose failure is passed over
local state = {}    -- a record's state, nil while it was never touched
local limit = {}    -- a record's start-to-close timeout, ms
local sources = {}  -- the numbers of the steps a record's input comes from, and i for the saga's input

local function read_plan()
  local codes, fields, n = {}, {}, 0
  for name, flags, ms, from, other_ms, other_from, undo_ms in redis.call('HGET', DEFINITIONS, digest .. ':plan'):gmatch(
      '([^|\n]+)|(%a*)|(%d+)|([^|\n]*)|(%d*)|([^|\n]*)|(%d*)\n') do
    local i = #steps + 1
    local code = i .. ''
    steps[i], numbers[name], limit[code], sources[code] = name, code, ms, from
    n = n + 1
    codes[n], fields[n] = code, code .. '.s'
    if flags == 'c' then passed[code] = true end
    if undo_ms ~= '' then
      local undo = code .. 'u'
      n = n + 1
      codes[n], fields[n], undone[code], limit[undo], sources[undo] = undo, undo .. '.s', true, undo_ms, from
    end
    if other_ms ~= '' then
      local other, void = code .. 'f', code .. 'fu'
      codes[n + 1], fields[n + 1], switches[code], limit[other], sources[other] = other, other .. '.s', true, other_ms, other_from
      n = n + 2
      codes[n], fields[n], limit[void], sources[void] = void, void .. '.s', undo_ms, other_from
    end
  end
  local values = redis.call('HMGET', SAGA, unpack(fields))
  for k = 1, n do state[codes[k]] = values[k] or nil end
end

-- Reads the saga; answers whether there is one.
local function open_saga()
  local head = redis.call('HMGET', SAGA, 'status', 'direction', 'deadline', 'definition', 'paused', 'name', 'created')
  if not head[1] then return false end
  status, direction, deadline, digest, paused, saga_name = head[1], head[2], tonumber(head[3]), head[4], head[5], head[6]
  was, created = status, head[7]
  read_plan()
  return true
end

-- The itinerary as JSON, or '' for a caller whose known digests have it.
local function itinerary_for(known)
  if (',' .. known .. ','):find(',' .. digest .. ',', 1, true) then return '' end
  return redis.call('HGET', DEFINITIONS, digest)
end

-- Counts what is called by words joined by |; names have none in them.
local function count(by, words) redis.call('HINCRBY', COUNTERS, words, by) end

local function has_ended() return status == 'completed' or status == 'compensated' end
local function is_over() return has_ended() or status == 'stuck' end

-- The record that a message's path names: <step>, <step>:fallback, <step>:undo, <step>:fallback:undo.
local function record_of(path)
  if numbers[path] then return numbers[path] end
  local name, rest = path:match('^([^:]+)(.*)$')
  local suffix = rest == ':fallback' and 'f' or rest == ':undo' and 'u' or rest == ':fallback:undo' and 'fu'
  local code = numbers[name] and suffix and numbers[name] .. suffix
  return code and limit[code] and code or nil
end
local function number_of(code) return tonumber(code:match('^%d+')) end
local function path_of(code)
  local name = steps[number_of(code)]
  if numbers[name] == code then return name end
  return name .. (code:find('f', 1, true) and ':fallback' or '') .. (code:sub(-1) == 'u' and ':undo' or '')
end
local function is_undo(code) return code:sub(-1) == 'u' end
local function step_of(code)
  local number = number_of(code)
  local own = number .. ''
  return {name = steps[number], may_continue = passed[own], has_fallback = switches[own], has_undo = undone[own]}
end

local function get(code, field) return redis.call('HGET', SAGA, code .. '.' .. field) end
local function set_state(code, value)
  state[code] = value
  redis.call('HSET', SAGA, code .. '.s', value)
end
local function is_open(code) return not state[code] or state[code] == 'pending' or state[code] == 'running' end
local function was_claimed(code)
  return state[code] ~= nil and (state[code] ~= 'pending' or get(code, 'r') ~= false)
end
-- What a record has used since a person last renewed its budget: attempts, deaths, unregistered; and all its attempts.
local function used(code)
  local values = redis.call('HMGET', SAGA, code .. '.a', code .. '.p', code .. '.k', code .. '.b')
  local attempts, deaths, unregistered = (values[4] or '0,0,0'):match('(%d+),(%d+),(%d+)')
  return (values[1] or 0) - attempts, (values[2] or 0) - deaths, (values[3] or 0) - unregistered,
    values[1] or 0
end

local function running_record()
  for code, value in pairs(state) do
    if value == 'running' then return code end
  end
end

-- Every record that the saga's direction could come to, in the order in which they run. Undo runs
-- in reverse order of start; a step starts after the one before, a fallback after its primary.
local function path_ahead()
  local list, forward = {}, direction == 'forward'
  for k = 1, #steps do
    local code = numbers[steps[forward and k or #steps + 1 - k]]
    if forward then
      list[#list + 1] = code
      if switches[code] then list[#list + 1], list[#list + 2] = code .. 'u', code .. 'f' end
    elseif undone[code] then
      if switches[code] then list[#list + 1] = code .. 'fu' end
      list[#list + 1] = code .. 'u'
    end
  end
  return list
end

local function is_due(code)
  if not is_open(code) then return false end
  if direction == 'backward' then
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
