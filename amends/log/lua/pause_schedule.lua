-- Pause a schedule: what is due meanwhile is passed by. A tick that was decided before is still started.
--
--! include schedule_act
-- ARGV[2] who, or ''   ARGV[3] why, or ''   ARGV[4] both as JSON members for the event, or ''
-- Answers {"paused"}, of one that is paused too | {"unknown"}: there is no such schedule
if not get('app') then return {'unknown'} end
if get('paused') then return {'paused'} end
list_own_act()
set('paused', NOW_TEXT, 'by', ARGV[2], 'why', ARGV[3])
note('schedule.paused', ARGV[4] ~= '' and ARGV[4] or nil)
return {'paused'}
