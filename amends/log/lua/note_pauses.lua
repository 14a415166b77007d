-- Note how many pauses of the shard its set of paused sagas knows of, once all live sagas were looked at.
--
-- KEYS[1] hash  what the shard counts
-- ARGV[1] how many it knew of before the look   ARGV[2] how many there had been then
-- Answers 1, or 0 where another look or a pause came between
if (redis.call('HGET', KEYS[1], 'paused|noted') or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'paused|noted', ARGV[2])
return 1
