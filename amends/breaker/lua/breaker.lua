-- One circuit breaker as the scripts read it. The loader puts it before each script that includes it.
--
-- KEYS[1] hash    the breaker; there is none while nothing ever went wrong
-- KEYS[2] zset    the probes under way: tokens, scored by the end of their lease
-- KEYS[3] stream  its transitions, the newest ones
--
-- Fields: state ('closed' 'open' 'half_open'; none is closed)   epoch (its last transition; none is 0)
--   until (when an open one lets a probe through)   opens (so many in a row)   successes (of probes)
--   override ('forced_open' 'disabled'), by and why (a person's)   late (results that were dropped)
--   forced (the epoch of an opening by a person that ends by itself: an open circuit to a worker of an earlier release)
--   refused (calls that were let through nowhere: processes tell of theirs with HINCRBY)
--   f<epoch> when the failures in a row came, joined by ,
-- Times are microseconds of Redis TIME. So are epochs, which no restart can give out again.
--
local BREAKER, PROBES, EVENTS = KEYS[1], KEYS[2], KEYS[3]
local KEPT, FORGOTTEN_AFTER = 100, 30 * 86400
local clock = redis.call('TIME')
local NOW = clock[1] * 1000000 + clock[2]

local head = redis.call('HMGET', BREAKER, 'state', 'epoch', 'until', 'opens', 'override', 'forced')
local state, epoch, override = head[1] or 'closed', head[2] or '0', head[5]
local until_, opens = tonumber(head[3]), tonumber(head[4]) or 0
local is_forced = state == 'open' and head[6] == epoch -- by a person, until its time is over

-- A number of 16 digits as text: Lua itself would give 14 of them.
local function exact(number) return string.format('%.0f', number) end

-- The circuit of one worker, whose name has an @, is forgotten a month after its last move: hosts come and go. Not so
-- while a person's will is over it.
local function let_expire()
  if not BREAKER:find('@', 1, true) then return end
  local is_held = redis.call('HEXISTS', BREAKER, 'override') == 1
  for _, key in ipairs(KEYS) do
    if is_held then redis.call('PERSIST', key) else redis.call('EXPIRE', key, FORGOTTEN_AFTER) end
  end
end

local function add_event(name, by, ...)
  redis.call('XADD', EVENTS, 'MAXLEN', KEPT, '*', 'name', name, 'at', exact(NOW), 'epoch', epoch, 'by', by, ...)
  let_expire()
end

-- Comes to a state, in a new epoch: whatever is under way is late from here on.
local function move_to(new)
  local before = epoch
  epoch = exact(math.max(NOW, tonumber(before) + 1)) -- several in a microsecond, or a clock that went back
  state = new
  redis.call('HSET', BREAKER, 'state', state, 'epoch', epoch)
  redis.call('HDEL', BREAKER, 'f' .. before, 'successes')
  if is_forced then redis.call('HDEL', BREAKER, 'forced', 'by', 'why') end
  redis.call('DEL', PROBES)
end
