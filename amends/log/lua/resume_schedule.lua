-- Let a paused schedule go on with the next tick from now.
--
--! include schedule_act
-- ARGV[2] who and why as JSON members for the event, or ''
-- Answers {"resumed"}, of one that is not paused too | {"unknown"}: there is no such schedule
if not get('app') then return {'unknown'} end
if not get('paused') then return {'resumed'} end
list_own_act()
redis.call('HDEL', SCHEDULE, 'paused', 'by', 'why')
set(get('decided') and 'resumed' or 'cursor', NOW_TEXT)
note('schedule.resumed', ARGV[2] ~= '' and ARGV[2] or nil)
return {'resumed'}
