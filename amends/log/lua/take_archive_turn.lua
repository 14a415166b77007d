-- Take the turn to hand ended sagas to the archive, which one worker has at a time.
--
-- KEYS[1] hash  the archive: holder (a worker's token) expires (when its turn ends, ms), and what `note_archived` keeps
-- ARGV[1] the worker's token   ARGV[2] how long its turn is, ms
-- Answers 1 if the turn is its, else 0
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local holder, expires = unpack(redis.call('HMGET', KEYS[1], 'holder', 'expires'))
if holder and holder ~= ARGV[1] and tonumber(expires) > now then return 0 end
redis.call('HDEL', KEYS[1], 'holder') -- first: a Redis that is full then takes the rest
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'expires', ('%d'):format(now + ARGV[2]))
return 1
