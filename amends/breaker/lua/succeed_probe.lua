-- Record that a probe succeeded; the success that is enough closes the breaker.
--
--! include late
-- ARGV[1] the permit's epoch   ARGV[2] its token   ARGV[3] successes that close it   ARGV[4] by
-- Answers {"counted", successes} | {"closed"} | {"late"}
local its_epoch, token, threshold, by = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

if not is_live(its_epoch, token) then return drop_late() end
local successes = redis.call('HINCRBY', BREAKER, 'successes', 1)
redis.call('ZREM', PROBES, token)
if successes < threshold then return {'counted', successes} end
move_to('closed')
redis.call('HDEL', BREAKER, 'until', 'opens')
add_event('breaker.closed', by, 'token', token)
return {'closed'}
