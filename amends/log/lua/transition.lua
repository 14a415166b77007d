-- How a saga moves. The loader puts it before each script that includes it, and has that script answer
-- {what it says it answers, {the saga's name, its status before, or '', and after, when it was started, the names
-- of the events that it wrote, joined by a blank, of a child that ends or moves <its parent's id>|<path of its step>, or '',
-- and its trace}, event, event, ...}: these events. The last two are left out where there are none.
--
-- What happens is counted in the same transition. The counters of a shard:
--   event|<its name>|<saga>|<record's path or ''>   how often it was written
--   sagas|<saga>|<status>   how many are there now   ended|<saga>|<status>|<outcome>   how many came to it
--   turned|<saga>|<cause>    how many turned back, by `turn_back`'s cause
--   took|<saga>|<bound>     how many ended within so many seconds and not within the bound before
--   took|<saga>|sum         ms from start to end, of all
--   ran|<saga>|<path>|...   the same two of attempts, from claim to end
--   queued|<queue>|...      the same two of messages, from when they were to arrive to the claim
--   paused|noted            how many of the pauses the shard's set of paused sagas knows of, see `note_pauses`
--
-- Processes that wait for the saga (see `await_saga`) are told of its end, or of each record that moves.
--
-- A transition writes at its end, all at once: the loader has it call save(). The first write is one that a
-- full Redis refuses (HSET, not HDEL): then it is all of the transition that is refused, for Redis looks
-- once, when a script begins.
--
--! include fold
local AT_ONCE = 4000 -- what a call of Redis is given at most: fields and values  --! shaped
local EVENTS, COUNTS = {}, {} -- COUNTS: words, by how much, words, by how much, ...
local LEASE = 10000 -- a saga that runs, or has a message under way, is looked at after this long
local changes, unsets = {}, {} -- field, value, field, value, ...; and a set of fields
local names           -- of the events, joined by a blank
local due             -- when a sweep is to look at the saga, where that changes
local NEVER = math.huge -- where only its deadline makes it due  --! shaped
--! shaped
--! constant TIMED
--! end
local has_waited      -- whether a wait began or ended, or the time of a delayed start came  --! shaped
local is_sooner       -- whether that may only bring the look forward: others of its branches wait for theirs  --! shaped

local function set(field, value)
  saga[field], unsets[field] = value, nil
  changes[#changes + 1] = field
  changes[#changes + 1] = value
end

-- Counts what is called by words joined by |; names have none in them. By 1 unless told.
local function count(words, by)
  COUNTS[#COUNTS + 1] = words
  COUNTS[#COUNTS + 1] = by or '1'
end

--! shaped
-- What a record is counted as: all items of a step alike.
local function counted(path) return branch and path and path:gsub('%[%d+%]', '') or path or '' end
--! plain
local function counted(path) return path or '' end
--! end

-- One event: its name, the record it is about, and further JSON members.
local function add_event(name, path, members)
  EVENTS[#EVENTS + 1] = '{"at":' .. NOW_TEXT .. ',"name":"' .. name .. '"'
    .. (path and ',"record":"' .. path .. '"' or '') .. (members and ',' .. members or '') .. '}'
  names = names and names .. ' ' .. name or name
  count('event|' .. name .. '|' .. saga.name .. '|' .. counted(path))
end

-- When a sweep looks at the saga; that of a branch may not put off those of others.
--! shaped
-- The sooner of two due times: one of a saga that waits in the log only if both are.
local function sooner(one, other)
  local waits = one >= TIMED and other >= TIMED
  local time = math.min(one >= TIMED and one - TIMED or one, other >= TIMED and other - TIMED or other)
  return waits and time + TIMED or time
end

local function set_due(at)
  due, is_sooner = branch and due and sooner(due, at) or at, branch ~= nil
end

local has_saved = false -- whether the states of any row were written
--! plain
local function set_due(at) due = at end
--! end

-- Writes the states of the records, in their order, and the claim of the one that runs.
local function save_records()
  if not has_moved then return end
  has_saved = true  --! shaped
  local list = {}
  for _, code in ipairs(codes) do
    if state[code] then list[#list + 1] = code .. '=' .. state[code] end
  end
  local states = table.concat(list, ',')
  local claim = running and running.code .. '|' .. running.attempt .. '|' .. running.at .. '|' .. running.given_up_at
    .. '|' .. running.token .. '|' .. running.owner or ''
--! shaped
  if branch then
    return set(branch.field, ('%d|%d|%d|'):format(branch.sent, branch.dispatches, branch.message) .. states .. '|' .. claim)
  end
--! end
  set('states', states)
  set('claim', claim)
end

--! shaped
-- Goes back from a branch to the line.
local function leave_branch()
  if not branch then return end
  save_records()
  branch, codes, state, running, has_moved = nil, line.codes, line.state, nil, line.has_moved
end
--! end

local function save_status()
  if was then
    redis.call('ZREM', index_of(was), ID)
    count('sagas|' .. saga.name .. '|' .. was, '-1')
  end
  redis.call('ZADD', index_of(saga.status), NOW_TEXT, ID)
  count('sagas|' .. saga.name .. '|' .. saga.status)
end

-- A sweep passes by what is over, unless it is parked, and by what is paused, but for its deadline.
local function save_due()
  local limit = not is_over() and saga.direction == 'forward' and saga.deadline
  if is_over() and not saga.parked or saga.paused and not limit then
    redis.call('ZREM', DUE, ID)
  else
--! shaped
    local base, time = due >= TIMED and TIMED or 0, due
    if saga.paused then time = limit elseif limit and limit < due - base then time = limit + base end
    if time == NEVER then return is_sooner or redis.call('ZREM', DUE, ID) end
    local other = is_sooner and not saga.paused and tonumber(redis.call('ZSCORE', DUE, ID) or nil)
    local at = ('%d'):format(other and sooner(time, other) or time)
--! plain
    local at = ('%d'):format(limit and (saga.paused or limit < due) and limit or due)
--! end
    redis.call('ZADD', DUE, at, ID)
  end
end

--! shaped
-- Has the index say since when the saga waits in the log, after all that do not; or since when it does so no more.
local function save_wait()
  if saga.status ~= 'running' and saga.status ~= 'pending' then return end
  local waits, since = due ~= nil and due >= TIMED, redis.call('ZSCORE', index_of(saga.status), ID)
  if waits and is_sooner then waits = (tonumber(redis.call('ZSCORE', DUE, ID)) or TIMED) >= TIMED end -- others of its branches may go on
  if waits ~= ((tonumber(since) or 0) >= TIMED) then
    redis.call('ZADD', index_of(saga.status), ('%d'):format(waits and TIMED + NOW or NOW), ID)
  end
end
--! end

local function save()
  if branch then leave_branch() end  --! shaped
  save_records()
  if was and saga.status ~= was then set('status', saga.status) end
  for k = 1, #changes, AT_ONCE do redis.call('HSET', SAGA, unpack(changes, k, math.min(k + AT_ONCE - 1, #changes))) end  --! shaped
  if #changes > 0 then redis.call('HSET', SAGA, unpack(changes)) end  --! plain
  for field in pairs(unsets) do redis.call('HDEL', SAGA, field) end
  if #EVENTS > 0 then
    local length = redis.call('RPUSH', HISTORY, unpack(EVENTS))
    local most = KEPT + KEPT_EACH * #codes
--! shaped
    if length > most then most = most_events() end
--! end
    if length > most then fold(EVENTS, length) end
  end
  if saga.status ~= was then save_status() end
  if due then save_due() end
  if has_waited or due and due >= TIMED then save_wait() end  --! shaped
  for k = 1, #COUNTS, 2 do redis.call('HINCRBY', COUNTERS, COUNTS[k], COUNTS[k + 1]) end
  if saga.awaited then -- rare, and written out here: a function would cost every script
    local kept = {}
    for entry, kind, ends_at, channel in saga.awaited:gmatch('((%a)|(%d+)|(%S+))') do
      if kind == 'p' then -- its parent, which is told of its end
        kept[#kept + 1] = entry
        saga.parent = saga.parent or redis.call('HGET', SAGA, 'parent')
        if has_ended() then redis.call('ZADD', DUE, ('%d'):format(NOW + LEASE), ID) end
      elseif tonumber(ends_at) > NOW then -- otherwise its process has died, or waits no longer
        if is_over() or kind == 's' and has_saved then  --! shaped
        if is_over() or kind == 's' and has_moved then  --! plain
          redis.pcall('PUBLISH', channel, ID) -- which a user may have no right to: who waits looks too
        end
        if not is_over() then kept[#kept + 1] = entry end
      end
    end
    local left = table.concat(kept, ' ')
    if left == '' then
      redis.call('HDEL', SAGA, 'awaited')
    elseif left ~= saga.awaited then
      redis.call('HSET', SAGA, 'awaited', left)
    end
  end
end
