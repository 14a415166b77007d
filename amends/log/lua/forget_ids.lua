-- Forget ids of sagas that ended long ago.
--
-- KEYS[1] hash  ids that the shard remembers, as `remove_saga` has them   KEYS[2] list  them, in the order in which they are to go
-- ARGV[1] how long an id is remembered after the end of its saga, ms   ARGV[2] how many are forgotten at most
-- Answers how many were
local clock = redis.call('TIME')
local before = clock[1] - ARGV[1] / 1000
local forgotten = 0

-- Whether an id is to be forgotten; one that is in the list alone is.
local function is_old(id)
  local past = id and redis.call('HGET', KEYS[1], id)
  return id and (not past or tonumber(past:match('^[^|]*|%a|(%d+)')) <= before)
end

if not is_old(redis.call('LRANGE', KEYS[2], 0, 0)[1]) then return 0 end -- as it mostly is
for _, id in ipairs(redis.call('LRANGE', KEYS[2], 0, ARGV[2] - 1)) do
  if not is_old(id) then break end
  redis.call('HDEL', KEYS[1], id)
  forgotten = forgotten + 1
end
redis.call('LTRIM', KEYS[2], forgotten, -1)
return forgotten
