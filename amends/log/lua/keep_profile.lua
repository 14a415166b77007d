-- Keep what a live worker takes, as one entry for all workers that take the same.
--
-- KEYS[1] hash  profiles, JSON by digest   KEYS[2] zset  their digests, scored by when a worker last beat with it, ms
-- ARGV[1] digest   ARGV[2] how long it is kept, ms   ARGV[3] the profile, JSON; '' to find out whether it is there
-- Answers 1 where the profile is there, 0 where it has to be sent
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local digest, profile = ARGV[1], ARGV[3]
for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[2])) do
  redis.call('HDEL', KEYS[1], old)
  redis.call('ZREM', KEYS[2], old)
end
if profile ~= '' then redis.call('HSET', KEYS[1], digest, profile) end
if redis.call('HEXISTS', KEYS[1], digest) == 0 then return 0 end
redis.call('ZADD', KEYS[2], now, digest)
return 1
