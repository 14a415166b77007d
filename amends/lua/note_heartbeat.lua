-- Note that a worker lives, and with it these processes of its pool.
--
-- KEYS[1] hash  the worker: at (ms), pids (joined by ,)
-- ARGV[1] pids, joined by ,   ARGV[2] how long it is kept, ms
-- Answers the time, ms
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('HSET', KEYS[1], 'at', now, 'pids', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return now
