-- Permit one more copy of a message to a queue that may have lost it, as a probe: once the copy is claimed, the queue's
-- watermark tells which others are lost. There is one at a time; one that is not claimed is followed after twice the wait
-- of the one before.
--
-- KEYS[1] string  the queue's last probe: <published, ms>|<how many in a row were not claimed>
-- ARGV[1] the queue's watermark, ms   ARGV[2] the first wait, ms   ARGV[3] how long it is kept, ms
-- Answers 1 | 0
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local at, count = (redis.call('GET', KEYS[1]) or ''):match('^(%d+)|(%d+)$')
local unclaimed = at and tonumber(at) > tonumber(ARGV[1]) and tonumber(count) or 0
if unclaimed > 0 and now < at + ARGV[2] * 2 ^ math.min(unclaimed, 10) then return 0 end
redis.call('SET', KEYS[1], ('%d|%d'):format(now, unclaimed + 1), 'PX', ARGV[3])
return 1
