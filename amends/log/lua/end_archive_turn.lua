-- Leave the turn to hand ended sagas to the archive to another worker.
--
-- KEYS[1] hash  the archive, as `take_archive_turn` has it
-- ARGV[1] the worker's token
-- Answers 1 if the turn was its, else 0
if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'holder', 'expires')
return 1
