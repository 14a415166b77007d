-- Note that the archive took a batch of ended sagas, or why it did not.
--
-- KEYS[1] hash  the archive, as `take_archive_turn` has it; here: sagas (how many it took) succeeded (when it took the last)
--         failures (how many batches it did not take) failing (when the first of them failed since) error (of the last)
-- ARGV[1] the worker's token   ARGV[2] how many sagas   ARGV[3] why it did not take them, or ''
-- Answers nothing
local clock = redis.call('TIME')
local now = clock[1] .. ('00000' .. clock[2]):sub(-6, -4)
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], 'failing', 'error') -- first: a Redis that is full then takes the rest
  redis.call('HINCRBY', KEYS[1], 'sagas', ARGV[2])
  return redis.call('HSET', KEYS[1], 'succeeded', now)
end
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then redis.call('HDEL', KEYS[1], 'holder', 'expires') end
redis.call('HDEL', KEYS[1], 'error')
redis.call('HINCRBY', KEYS[1], 'failures', 1)
if redis.call('HEXISTS', KEYS[1], 'failing') == 0 then redis.call('HSET', KEYS[1], 'failing', now) end
return redis.call('HSET', KEYS[1], 'error', ARGV[3])
