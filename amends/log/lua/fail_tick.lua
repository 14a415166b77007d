-- Note that the saga of a tick could not be started; it is tried again.
--
--! include schedule
-- ARGV[2] the tick, ms   ARGV[3] the error as text   ARGV[4] that as JSON
-- Answers {"noted"} the first time | {"known"} | {"late"}: the tick is settled
if get('decided') ~= ARGV[2] then return {'late'} end
if get('error') == ARGV[3] then return {'known'} end
set('error', ARGV[3])
redis.call('HINCRBY', SCHEDULE, 'failed', 1)
note('tick.failed', '"due":' .. ARGV[2] .. ',"error":' .. ARGV[4])
return {'noted'}
