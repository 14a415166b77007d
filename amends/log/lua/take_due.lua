-- Take the sagas of one shard that are due, by moving their due time on. There is no lock to leak.
--
-- KEYS[1] zset  due sagas of the shard
-- ARGV[1] how long they are taken for, ms   ARGV[2] how many at most
-- Answers {id, id, ...}
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  redis.call('ZADD', KEYS[1], now + ARGV[1], id)
end
return ids
