-- Note that a worker lives, and with it these processes of its pool and these messages in its hands.
--
-- KEYS[1] hash  the worker: at (ms), node, pids and messages (each joined by ,)
-- ARGV[1] pids, joined by ,   ARGV[2] how long it is kept, ms   ARGV[3] what Celery calls the worker
-- ARGV[4] ids of messages, joined by ,; none where nobody knows
-- Answers the time, ms
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('HSET', KEYS[1], 'at', now, 'node', ARGV[3], 'pids', ARGV[1])
if ARGV[4] then redis.call('HSET', KEYS[1], 'messages', ARGV[4]) else redis.call('HDEL', KEYS[1], 'messages') end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return now
