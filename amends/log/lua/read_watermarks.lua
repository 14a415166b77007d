-- Read the watermarks that a shard has of some queues, and forget those of the future: the log's clock has gone back.
--
-- KEYS[1] zset  watermarks of queues: see `watermark`
-- ARGV  names of queues
-- Answers {the time, ms, watermark, ms, or nil, ...}
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + 1, '+inf')
return {now, unpack(redis.call('ZMSCORE', KEYS[1], unpack(ARGV)))}
