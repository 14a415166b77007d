-- Note that a worker lives, and with it these processes of its pool and these messages in its hands.
--
-- KEYS[1] hash  the worker: at (ms), node, version, queues (JSON), pids, messages and returned (each joined by ,)
-- KEYS[2] zset  the keys of such hashes, scored by at
-- ARGV[1] pids, joined by ,   ARGV[2] how long it is kept, ms   ARGV[3] what Celery calls the worker
-- ARGV[4] its version of amends   ARGV[5] names of the queues that it consumes, JSON, or ''
-- ARGV[6] ids of messages that it put back, joined by ,   ARGV[7] ids of messages, joined by ,; none where nobody knows
-- Answers the time, ms
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('HSET', KEYS[1], 'at', now, 'pids', ARGV[1], 'node', ARGV[3], 'version', ARGV[4], 'queues', ARGV[5], 'returned', ARGV[6])
if ARGV[7] then redis.call('HSET', KEYS[1], 'messages', ARGV[7]) else redis.call('HDEL', KEYS[1], 'messages') end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[2], now, KEYS[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], 0, now - ARGV[2])
return now
