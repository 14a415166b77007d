-- Note how many pauses of the shard its set of paused sagas knows of, once all live sagas were looked at.
--
-- A pause that came since the count was taken is not among them, and so has the next look find it again.
--
-- KEYS[1] hash  what the shard counts
-- ARGV[1] how many there had been before the look
-- Answers 1
redis.call('HSET', KEYS[1], 'paused|noted', ARGV[1])
return 1
