-- How the acts of operators leave a list of them. The loader puts it before each script that includes it.
--
-- A list is a sorted set of <the act's id> <the act, JSON>, scored by when it was done, ms of Redis TIME. An act on one saga or
-- schedule is in the list of its shard, written by the act's own script; one on a circuit or on many sagas is in the log's.
-- Which of the KEYS[1] and so on a list is says the script.
--
local MOST_UNLISTED = 500 -- in one call; others wait for it

-- Takes out of a list what is older than so many ms, and what are more than so many. `progress` is the hash of bulk acts, if any.
local function unlist_acts(list, now, kept, kept_for, progress)
  local old = redis.call('ZRANGEBYSCORE', list, '-inf', ('%d'):format(now - kept_for), 'LIMIT', 0, MOST_UNLISTED)
  local many = redis.call('ZCARD', list) - kept
  if #old == 0 and many > 0 then old = redis.call('ZRANGE', list, 0, math.min(many, MOST_UNLISTED) - 1) end
  for _, entry in ipairs(old) do
    redis.call('ZREM', list, entry)
    if progress then redis.call('HDEL', progress, entry:match('^%S+')) end
  end
end
