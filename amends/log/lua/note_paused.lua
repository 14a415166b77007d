-- Keep the set of paused sagas true of one saga: it is in there while it is paused and has not ended.
--
-- KEYS[1] hash  the saga   KEYS[2] zset  the shard's paused sagas, scored by when they were paused
-- ARGV[1] the saga's id
-- Answers 1 where it is in there now, 0 where it is not
local found = redis.call('HMGET', KEYS[1], 'paused', 'status')
local paused, status = found[1] or '', found[2]
if paused ~= '' and status ~= 'completed' and status ~= 'compensated' then
  redis.call('ZADD', KEYS[2], paused, ARGV[1])
  return 1
end
redis.call('ZREM', KEYS[2], ARGV[1])
return 0
