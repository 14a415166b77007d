-- Let some sagas of one shard be due at once, drawn from all that are alive, but for those that soon are.
--
-- KEYS[1] zset  due sagas of the shard
-- ARGV[1] how many are drawn   ARGV[2] how soon is soon, ms
-- Answers how many are due for it
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local drawn, hastened = redis.call('ZRANDMEMBER', KEYS[1], ARGV[1], 'WITHSCORES'), 0
for k = 1, #drawn, 2 do
  if tonumber(drawn[k + 1]) > now + ARGV[2] then
    redis.call('ZADD', KEYS[1], now, drawn[k])
    hastened = hastened + 1
  end
end
return hastened
