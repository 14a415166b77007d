-- Note the processes of a worker's pool that ended, before the heartbeat that names them no more.
--
-- KEYS[1] hash  the worker, as `note_heartbeat` has it; here: ended
-- ARGV[1] <pid>=<time of the last heartbeat that named it, ms>, joined by ,   ARGV[2] how long it is kept, ms
redis.call('HSET', KEYS[1], 'ended', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
