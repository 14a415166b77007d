-- Settle a tick that was decided and whose saga is in the log.
--
--! include settle_ticks
-- ARGV[2] the tick, ms   ARGV[3] the saga's id   ARGV[4] after how many ms it is late
-- Answers {"fired"} | {"late"}: another worker has said so
local due = ARGV[2]
if get('decided') ~= due then return {'late'} end
set('last', ARGV[3], 'last_due', due)
settle_until(due)
redis.call('HINCRBY', SCHEDULE, 'fired', 1)
if NOW - due > tonumber(ARGV[4]) then
  redis.call('HINCRBY', SCHEDULE, 'late', 1)
  note('tick.late', '"due":' .. due)
end
return {'fired'}
