-- Settle ticks for which no saga is started.
--
--! include settle_ticks
-- ARGV[2] digest of the definition   ARGV[3] the cursor as it was read, ms   ARGV[4] until when they are settled, ms
-- ARGV[5] skipped or missed   ARGV[6] how many they are   ARGV[7] a tick that was decided and is given up, ms, or ''
-- Answers {"passed"} | {"late"}: the schedule is paused, has moved on, or has another definition
local cursor, until_, how, many = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if get('digest') ~= ARGV[2] or get('cursor') ~= cursor or (get('decided') or '') ~= ARGV[7] then return {'late'} end
if ARGV[7] == '' and get('paused') then return {'late'} end
settle_until(until_)
if tonumber(many) > 0 then
  redis.call('HINCRBY', SCHEDULE, how, many)
  note('tick.' .. how, '"until":' .. until_ .. ',"count":' .. many)
end
return {'passed'}
