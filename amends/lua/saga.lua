-- What the transitions of one saga share. The loader puts it before each script that includes it.
--
-- KEYS[1] hash  the saga                  KEYS[2] list  its history, JSON events in order
-- KEYS[3] zset  due sagas of the shard    KEYS[4] hash  definitions of the shard: <digest> is the
--         itinerary as JSON, for workers; <digest>:plan is what scripts read of it
-- KEYS[5] to KEYS[10] zset  sagas of the shard in the order of STATUSES, scored by their last move
-- ARGV[1] the saga's id
--
-- A saga's fields: name definition input status direction outcome error reason created deadline
-- ended cancelled (under which token) messages (how many were numbered) dispatches (of the same message) sent (when it was to
-- arrive). Then for each record
-- r, which is a step's number and f for its fallback, u for its undo, fu for the fallback's undo:
--   r.s state     pending running done failed unknown skipped stuck; a record without one is pending
--   r.t token     of its claim          r.o owner    of its claim     r.c when it was claimed
--   r.a attempts  spent                 r.r tries    claims that ended unfinished
--   r.u           1 once an attempt ended of which nobody knows the effect
--   r.p deaths    claims whose owner died before the attempt's time was up
--   r.w           when it may run again r.l          when its running attempt is given up
--   r.x output    JSON                  r.e error    JSON          r.n outcome if the switch fails
-- Times are milliseconds of Redis TIME. JSON is passed through, never read.
--
-- The first write of a transition is one that a full Redis refuses (HSET, not HDEL): then it is all of
-- the transition that is refused, for Redis looks once, when a script begins.
local SAGA, HISTORY, DUE, DEFINITIONS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local STATUSES = {'pending', 'running', 'compensating', 'completed', 'compensated', 'stuck'}
local ID = ARGV[1]
local LEASE = 10000 -- a saga that runs, or has a message under way, is looked at after this long
local LOOK = 30000  -- and this often, while its message waits in a queue

local clock = redis.call('TIME')
local NOW = clock[1] * 1000 + math.floor(clock[2] / 1000)

local status, direction, deadline, digest
local steps = {}   -- {name, may_continue, has_fallback, has_undo}, in their order
local numbers = {} -- a step's number by its name
local state = {}   -- a record's state, nil while it was never touched
local limit = {}   -- a record's start-to-close timeout, ms
local sources = {} -- the numbers of the steps a record's input comes from, and i for the saga's input

local function read_plan()
  local plan = redis.call('HGET', DEFINITIONS, digest .. ':plan')
  local codes, fields = {}, {}
  local function add(code, ms, from)
    limit[code], sources[code] = tonumber(ms), from
    codes[#codes + 1], fields[#fields + 1] = code, code .. '.s'
  end
  for name, flags, ms, from, other_ms, other_from, undo_ms in
      plan:gmatch('([^|\n]+)|(%a*)|(%d+)|([^|\n]*)|(%d*)|([^|\n]*)|(%d*)\n') do
    local i = #steps + 1
    steps[i] = {name = name, may_continue = flags == 'c', has_fallback = other_ms ~= '', has_undo = undo_ms ~= ''}
    numbers[name] = i
    add(i .. '', ms, from)
    if undo_ms ~= '' then add(i .. 'u', undo_ms, from) end
    if other_ms ~= '' then
      add(i .. 'f', other_ms, other_from)
      add(i .. 'fu', undo_ms, other_from)
    end
  end
  local values = redis.call('HMGET', SAGA, unpack(fields))
  for k, code in ipairs(codes) do state[code] = values[k] or nil end
end

-- Reads the saga; answers whether there is one.
local function open_saga()
  local head = redis.call('HMGET', SAGA, 'status', 'direction', 'deadline', 'definition')
  if not head[1] then return false end
  status, direction, deadline, digest = head[1], head[2], tonumber(head[3]), head[4]
  read_plan()
  return true
end

-- The itinerary as JSON, or '' for a caller whose known digests have it.
local function itinerary_for(known)
  if (',' .. known .. ','):find(',' .. digest .. ',', 1, true) then return '' end
  return redis.call('HGET', DEFINITIONS, digest)
end

local function is_over()
  return status == 'completed' or status == 'compensated' or status == 'stuck'
end

-- The record that a message's path names: <step>, <step>:fallback, <step>:undo, <step>:fallback:undo.
local SUFFIX = {[''] = '', [':fallback'] = 'f', [':undo'] = 'u', [':fallback:undo'] = 'fu'}
local function record_of(path)
  local name, rest = path:match('^([^:]+)(.*)$')
  local code = numbers[name] and SUFFIX[rest] and numbers[name] .. SUFFIX[rest]
  return code and limit[code] and code or nil
end
local function path_of(code)
  local i, rest = code:match('^(%d+)(%a*)$')
  for suffix, short in pairs(SUFFIX) do
    if short == rest then return steps[tonumber(i)].name .. suffix end
  end
end
local function is_undo(code) return code:sub(-1) == 'u' end
local function step_of(code) return steps[tonumber(code:match('^%d+'))] end

local function get(code, field) return redis.call('HGET', SAGA, code .. '.' .. field) end
local function set_state(code, value)
  state[code] = value
  redis.call('HSET', SAGA, code .. '.s', value)
end
local function is_open(code) return not state[code] or state[code] == 'pending' or state[code] == 'running' end
local function was_claimed(code)
  return state[code] ~= nil and (state[code] ~= 'pending' or get(code, 'r') ~= false)
end
local function running_record()
  for code, value in pairs(state) do
    if value == 'running' then return code end
  end
end

-- Every record that the saga's direction could come to, in the order in which they run. Undo runs
-- in reverse order of start; a step starts after the one before, a fallback after its primary.
local function path_ahead()
  local list = {}
  for k = 1, #steps do
    local i = direction == 'forward' and k or #steps + 1 - k
    local step = steps[i]
    local codes = {}
    if direction == 'forward' then
      codes[1] = i .. ''
      if step.has_fallback then codes[2], codes[3] = i .. 'u', i .. 'f' end
    elseif step.has_undo then
      if step.has_fallback then codes[1] = i .. 'fu' end
      codes[#codes + 1] = i .. 'u'
    end
    for _, code in ipairs(codes) do list[#list + 1] = code end
  end
  return list
end

local OWING = {done = true, unknown = true, skipped = true}
local function is_due(code)
  if not is_open(code) then return false end
  if direction == 'backward' then return OWING[state[code:sub(1, -2)]] or false end
  -- The void of a primary and its fallback remain only once the switch has made them pending.
  return state[code] ~= nil or not code:match('%a')
end

-- What remains to be done, in order: the one place that decides it.
local function remaining()
  local list = {}
  for _, code in ipairs(path_ahead()) do
    if is_due(code) then list[#list + 1] = code end
  end
  return list
end

-- One event: its name, the record it is about, and further JSON members.
local function add_event(name, path, members)
  redis.call('RPUSH', HISTORY, '{"at":' .. NOW .. ',"name":"' .. name .. '"'
    .. (path and ',"record":"' .. path .. '"' or '') .. (members and ',' .. members or '') .. '}')
end

local function index_of(wanted)
  for k, name in ipairs(STATUSES) do
    if name == wanted then return KEYS[4 + k] end
  end
end
local function move_to(new)
  if new == status then return end
  redis.call('ZREM', index_of(status), ID)
  redis.call('ZADD', index_of(new), NOW, ID)
  redis.call('HSET', SAGA, 'status', new)
  status = new
end

local function set_due(at)
  if direction == 'forward' and deadline and deadline < at then at = deadline end
  redis.call('ZADD', DUE, at, ID)
end

-- Note when the message of what comes next is to arrive; soon after, a sweep looks whether it did.
local function note_sent(at)
  redis.call('HSET', SAGA, 'sent', at, 'dispatches', 1)
  set_due(at + LEASE)
end

local function turn_back(outcome, error)
  direction = 'backward'
  redis.call('HSET', SAGA, 'direction', direction, 'outcome', outcome, 'error', error)
  move_to('compensating')
  add_event('saga.compensating', nil, '"outcome":"' .. outcome .. '"')
  for code, value in pairs(state) do -- what waits for a retry will not get one
    if value == 'pending' and not is_undo(code) then
      if get(code, 'r') then
        set_state(code, get(code, 'u') and 'unknown' or 'failed')
      else -- a fallback that never started
        state[code] = nil
        redis.call('HDEL', SAGA, code .. '.s')
      end
    end
  end
end

-- Ends the saga where nothing remains and nothing runs; otherwise sets when it is looked at again.
local function settle()
  if running_record() or #remaining() > 0 then
    note_sent(NOW)
    return
  end
  local new, reason = 'completed', nil
  if direction == 'backward' then
    new = 'compensated'
    for code, value in pairs(state) do
      if is_undo(code) and value == 'stuck' then new, reason = 'stuck', path_of(code) .. ' failed for good' end
    end
  else
    redis.call('HSET', SAGA, 'outcome', 'completed')
  end
  move_to(new)
  redis.call('ZREM', DUE, ID)
  if reason then
    redis.call('HSET', SAGA, 'reason', reason)
    add_event('saga.stuck', nil, '"reason":"' .. reason .. '"')
  else
    redis.call('HSET', SAGA, 'ended', NOW)
    add_event('saga.finished', nil, '"status":"' .. new .. '"')
  end
end

-- Numbers messages; answers the first number.
local function number_messages(count) return redis.call('HINCRBY', SAGA, 'messages', count) - count + 1 end

-- What a task does next that has finished a record, its chain's next link being the one at `link`.
local function continuation(link)
  if is_over() then return {'end', status} end
  local first = remaining()[1]
  if first and first == record_of(link) then return {'go'} end
  return {'advance', number_messages(1)}
end

-- Whether this record is running under this token.
local function holds(code, token) return state[code] == 'running' and get(code, 't') == token end

-- A result that comes too late: kept as an event alone, and never where there is no saga.
local function too_late(path, members)
  add_event('step.late', path, members)
  return {'late'}
end

-- An attempt that ended: its claim is spent whatever it brought, an attempt only if it made one.
local function end_claim(code, spent)
  redis.call('HDEL', SAGA, code .. '.o', code .. '.c', code .. '.l', code .. '.w')
  if spent then redis.call('HINCRBY', SAGA, code .. '.a', 1) end
end
