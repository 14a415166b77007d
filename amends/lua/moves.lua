-- How a saga moves. The loader puts it before each script that includes it, and has that script answer
-- {what it says it answers, {the saga's name, its status before, or '', and after, when it was started},
-- event, event, ...}: the events that it wrote.
--
-- What happens is counted in the same transition. The counters of a shard:
--   event|<its name>|<saga>|<record's path or ''>   how often it was written
--   sagas|<saga>|<status>   how many are there now   ended|<saga>|<status>|<outcome>   how many came to it
--   took|<saga>|<bound>     how many ended within so many seconds and not within the bound before
--   took|<saga>|sum         ms from start to end, of all
--   ran|<saga>|<path>|...   the same two of attempts, from claim to end
--
-- The first write of a transition is one that a full Redis refuses (HSET, not HDEL): then it is all of
-- the transition that is refused, for Redis looks once, when a script begins.
--
--! include saga
local EVENTS = {}
local LEASE = 10000 -- a saga that runs, or has a message under way, is looked at after this long

-- One event: its name, the record it is about, and further JSON members.
local function add_event(name, path, members)
  local event = '{"at":' .. NOW .. ',"name":"' .. name .. '"'
    .. (path and ',"record":"' .. path .. '"' or '') .. (members and ',' .. members or '') .. '}'
  redis.call('RPUSH', HISTORY, event)
  EVENTS[#EVENTS + 1] = event
  count(1, 'event|' .. name .. '|' .. saga_name .. '|' .. (path or ''))
end

-- Counts a time in ms by the first bound, in seconds, that it is within.
local SAGA_BOUNDS = '0.1 0.25 0.5 1 2.5 5 10 30 60 300 900 3600 14400 86400'
local ATTEMPT_BOUNDS = '0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30 60 300'
local function count_time(ms, bounds, words)
  local within = 'inf'
  for bound in bounds:gmatch('%S+') do
    if ms <= bound * 1000 then
      within = bound
      break
    end
  end
  count(1, words .. '|' .. within)
  count(ms, words .. '|sum')
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
  count(-1, 'sagas|' .. saga_name .. '|' .. status)
  count(1, 'sagas|' .. saga_name .. '|' .. new)
  if status == 'stuck' then redis.call('HDEL', SAGA, 'reason') end
  status = new
end
local function stand_stuck(reason)
  redis.call('HSET', SAGA, 'reason', reason)
  move_to('stuck')
  redis.call('ZREM', DUE, ID)
  add_event('saga.stuck', nil, '"reason":"' .. reason .. '"')
end

-- When a sweep looks at the saga. It passes by what is paused, but for its deadline.
local function set_due(at)
  local limit = direction == 'forward' and deadline
  if is_over() or paused and not limit then
    redis.call('ZREM', DUE, ID)
  else
    redis.call('ZADD', DUE, limit and (paused or limit < at) and limit or at, ID)
  end
end

-- Note when the message of what comes next is to arrive; soon after, a sweep looks whether it did.
local function note_sent(at)
  redis.call('HSET', SAGA, 'sent', at, 'dispatches', 1)
  set_due(at + LEASE)
end

-- Note that no message is under way: the look at that time publishes.
local function note_unsent(at)
  redis.call('HSET', SAGA, 'sent', 0, 'dispatches', 0)
  set_due(at)
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
  if running_record() or #remaining(1) > 0 then
    note_sent(NOW)
    return
  end
  local new, reason = 'completed', nil
  if direction == 'backward' then
    new = 'compensated'
    for code, value in pairs(state) do
      if value == 'stuck' then reason = path_of(code) .. ' failed for good' end
    end
  else
    redis.call('HSET', SAGA, 'outcome', 'completed')
  end
  if reason then return stand_stuck(reason) end
  redis.call('HSET', SAGA, 'ended', NOW)
  move_to(new)
  redis.call('ZREM', DUE, ID)
  local outcome = redis.call('HGET', SAGA, 'outcome')
  add_event('saga.finished', nil, '"status":"' .. new .. '","outcome":"' .. outcome .. '"')
  count(1, 'ended|' .. saga_name .. '|' .. new .. '|' .. outcome)
  count_time(NOW - created, SAGA_BOUNDS, 'took|' .. saga_name)
end

-- Numbers messages; answers the first number.
local function number_messages(count) return redis.call('HINCRBY', SAGA, 'messages', count) - count + 1 end

-- Puts a message into its broker's queue, where this Redis is the broker's too; answers whether it is there.
-- Its key is none of KEYS: a cluster, or a user without the right to it, shall refuse this alone.
local function deliver(message, queue, broker, log)
  if message == '' then return false end
  if broker ~= log and redis.pcall('SELECT', broker).err then return false end
  local length = redis.pcall('LPUSH', queue, message)
  if broker ~= log then redis.call('SELECT', log) end
  return type(length) == 'number'
end

-- What a task does next that has finished a record, its chain's next link being the one at `link`.
local function continuation(link)
  if is_over() then return {'end', status} end
  if paused then return {'end', 'paused'} end
  local first = remaining(1)[1]
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
  if spent then count_time(NOW - get(code, 'c'), ATTEMPT_BOUNDS, 'ran|' .. saga_name .. '|' .. path_of(code)) end
  redis.call('HDEL', SAGA, code .. '.o', code .. '.c', code .. '.l', code .. '.w')
  if spent then redis.call('HINCRBY', SAGA, code .. '.a', 1) end
end
