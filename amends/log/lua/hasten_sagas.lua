-- Let some sagas of one shard be due at once, drawn from all that are alive and do not wait in the log, but for those that soon are.
--
-- KEYS[1] zset  due sagas of the shard
-- ARGV[1] how many are drawn   ARGV[2] how soon is soon, ms   ARGV[3] a number drawn at random, as Redis draws none in a script
-- Answers how many are due for it
--! constant TIMED
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local wanted, hastened = tonumber(ARGV[1]), 0
local alive = redis.call('ZCOUNT', KEYS[1], '-inf', ('(%d'):format(TIMED))
math.randomseed(ARGV[3])
for k = 1, math.min(wanted, alive) do
  local rank = wanted < alive and math.random(alive) - 1 or alive - k
  local drawn = redis.call('ZRANGE', KEYS[1], rank, rank, 'WITHSCORES')
  if tonumber(drawn[2]) > now + ARGV[2] then
    redis.call('ZADD', KEYS[1], now, drawn[1])
    hastened = hastened + 1
  end
end
return hastened
