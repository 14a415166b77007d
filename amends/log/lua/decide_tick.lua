-- Decide that the saga of a tick is to be started: whoever finds that starts it, and no other tick is settled before.
--
--! include schedule
-- ARGV[2] digest of the definition   ARGV[3] the cursor as it was read, ms   ARGV[4] the tick, ms
-- Answers {"decided"}, a repeated call too | {"late"}: the schedule is paused, has moved on, or has another definition
local cursor, due = ARGV[3], ARGV[4]
if get('digest') ~= ARGV[2] or get('cursor') ~= cursor then return {'late'} end
local decided = get('decided')
if decided then return {decided == due and 'decided' or 'late'} end
if get('paused') then return {'late'} end
set('decided', due)
return {'decided'}
