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
-- A transition writes at its end, all at once: the loader has it call save(). The first write is one that a
-- full Redis refuses (HSET, not HDEL): then it is all of the transition that is refused, for Redis looks
-- once, when a script begins.
--
--! include saga
local EVENTS, COUNTS = {}, {} -- COUNTS: words, by how much, words, by how much, ...
local LEASE = 10000 -- a saga that runs, or has a message under way, is looked at after this long
local changes, unsets = {}, {} -- field, value, field, value, ...; and a set of fields
local due             -- when a sweep is to look at the saga, where that changes
local has_moved = false -- whether a record's state or claim changes

local function set(field, value)
  saga[field], unsets[field] = value, nil
  changes[#changes + 1] = field
  changes[#changes + 1] = value
end
local function unset(field) saga[field], unsets[field] = false, true end
local function set_state(code, value) state[code], has_moved = value, true end
local function add(field, by)
  set(field, (get(field) or 0) + by)
  return saga[field]
end

-- Counts what is called by words joined by |; names have none in them. By 1 unless told.
local function count(words, by)
  COUNTS[#COUNTS + 1] = words
  COUNTS[#COUNTS + 1] = by or '1'
end

-- One event: its name, the record it is about, and further JSON members.
local function add_event(name, path, members)
  EVENTS[#EVENTS + 1] = '{"at":' .. NOW_TEXT .. ',"name":"' .. name .. '"'
    .. (path and ',"record":"' .. path .. '"' or '') .. (members and ',' .. members or '') .. '}'
  count('event|' .. name .. '|' .. saga.name .. '|' .. (path or ''))
end

-- When a sweep looks at the saga.
local function set_due(at) due = at end

-- Writes the states of the records, in their order, and the claim of the one that runs.
local function save_records()
  local list = {}
  for _, code in ipairs(codes) do
    if state[code] then list[#list + 1] = code .. '=' .. state[code] end
  end
  set('states', table.concat(list, ','))
  set('claim', running and running.code .. '|' .. running.attempt .. '|' .. running.at .. '|' .. running.given_up_at
    .. '|' .. running.token .. '|' .. running.owner or '')
end
local function save_status()
  if was then
    redis.call('ZREM', index_of(was), ID)
    count('sagas|' .. saga.name .. '|' .. was, '-1')
  end
  redis.call('ZADD', index_of(saga.status), NOW_TEXT, ID)
  count('sagas|' .. saga.name .. '|' .. saga.status)
end
-- A sweep passes by what is over, and by what is paused, but for its deadline.
local function save_due()
  local limit = saga.direction == 'forward' and saga.deadline
  if is_over() or saga.paused and not limit then
    redis.call('ZREM', DUE, ID)
  else
    redis.call('ZADD', DUE, ('%d'):format(limit and (saga.paused or limit < due) and limit or due), ID)
  end
end
local function save()
  if has_moved then save_records() end
  if was and saga.status ~= was then set('status', saga.status) end
  if #changes > 0 then redis.call('HSET', SAGA, unpack(changes)) end
  for field in pairs(unsets) do redis.call('HDEL', SAGA, field) end
  if #EVENTS > 0 then redis.call('RPUSH', HISTORY, unpack(EVENTS)) end
  if saga.status ~= was then save_status() end
  if due then save_due() end
  for k = 1, #COUNTS, 2 do redis.call('HINCRBY', COUNTERS, COUNTS[k], COUNTS[k + 1]) end
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
  count(words .. '|' .. within)
  count(words .. '|sum', ('%d'):format(ms))
end

local function move_to(status)
  if saga.status == 'stuck' then unset('reason') end
  saga.status = status
end
local function stand_stuck(reason)
  move_to('stuck')
  set('reason', reason)
  set_due(NOW)
  add_event('saga.stuck', nil, '"reason":"' .. reason .. '"')
end

-- Note when the message of what comes next is to arrive; soon after, a sweep looks whether it did.
local function note_sent(at)
  set('sent', ('%d'):format(at))
  set('dispatches', '1')
  set_due(at + LEASE)
end

-- Note that no message is under way: the look at that time publishes.
local function note_unsent(at)
  set('sent', 0)
  set('dispatches', 0)
  set_due(at)
end

-- The state of a record that did not take effect, for all that is known.
local function state_of_failure(code) return get(code .. '.u') and 'unknown' or 'failed' end

local function turn_back(outcome, error)
  set('direction', 'backward')
  set('outcome', outcome)
  set('error', error)
  move_to('compensating')
  add_event('saga.compensating', nil, '"outcome":"' .. outcome .. '"')
  for code, value in pairs(state) do -- what waits for a retry will not get one
    if value == 'pending' and not is_undo(code) then -- one without tries is a fallback that never started
      set_state(code, get(code .. '.r') and state_of_failure(code) or nil)
    end
  end
end

-- The reason to be stuck of a saga that has nothing left to undo, or nil.
local function reason_of_failure()
  for _, code in ipairs(path_ahead()) do
    if state[code] == 'stuck' then return path_of(code) .. ' failed for good' end
  end
end

-- Ends the saga where nothing remains and nothing runs; otherwise sets when it is looked at again.
local function settle()
  if running or #remaining(1) > 0 then return note_sent(NOW) end
  local new = 'completed'
  if saga.direction == 'backward' then
    local reason = reason_of_failure()
    if reason then return stand_stuck(reason) end
    new = 'compensated'
  else
    set('outcome', 'completed')
  end
  set('ended', NOW_TEXT)
  move_to(new)
  set_due(NOW)
  local outcome = get('outcome')
  add_event('saga.finished', nil, '"status":"' .. new .. '","outcome":"' .. outcome .. '"')
  count('ended|' .. saga.name .. '|' .. new .. '|' .. outcome)
  count_time(NOW - saga.created, SAGA_BOUNDS, 'took|' .. saga.name)
end

-- Numbers messages; answers the first number.
local function number_messages(many) return add('messages', many) - many + 1 end

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
  if is_over() then return {'end', saga.status} end
  if saga.paused then return {'end', 'paused'} end
  local first = remaining(1)[1]
  if first and first == record_of(link) then return {'go'} end
  return {'advance', number_messages(1)}
end

-- Whether this record is running under this token.
local function holds(code, token) return running and running.code == code and running.token == token end

-- A result that comes too late: kept as an event alone, and never where there is no saga.
local function too_late(path, members)
  add_event('step.late', path, members)
  return {'late'}
end

-- An attempt that ended: its claim is spent whatever it brought, an attempt only if it made one.
local function end_claim(path, spent)
  if spent then
    count_time(NOW - running.at, ATTEMPT_BOUNDS, 'ran|' .. saga.name .. '|' .. path)
    set(running.code .. '.a', running.attempt)
  end
  set(running.code .. '.t', running.token)
  running, has_moved = nil, true
end
