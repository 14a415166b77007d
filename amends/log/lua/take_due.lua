-- Take the sagas of one shard that are due, by moving their due time on. There is no lock to leak.
--
-- KEYS[1] zset  due sagas of the shard
-- ARGV[1] how long they are taken for, ms   ARGV[2] how many at most of those that are alive, and of those that wait in the log
-- Answers {id, id, ...}
--! constant TIMED
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local taken = {}
for _, base in ipairs({0, TIMED}) do
  local bounds = {('%d'):format(base), ('%d'):format(base + now)}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], bounds[1], bounds[2], 'LIMIT', 0, ARGV[2])) do
    redis.call('ZADD', KEYS[1], ('%d'):format(base + now + ARGV[1]), id)
    taken[#taken + 1] = id
  end
end
return taken
