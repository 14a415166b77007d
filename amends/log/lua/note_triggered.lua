-- Note that a person started sagas of a schedule.
--
--! include schedule_act
-- ARGV[2] id of the saga that its overlap goes by from now on, or ''   ARGV[3] how many   ARGV[4] the event's name   ARGV[5] its JSON members, or ''
-- Answers {"noted"} | {"unknown"}: there is no such schedule
if not get('app') then return {'unknown'} end
list_own_act()
if ARGV[2] ~= '' then set('last', ARGV[2]) end
redis.call('HINCRBY', SCHEDULE, 'triggered', ARGV[3])
note(ARGV[4], ARGV[5] ~= '' and ARGV[5] or nil)
return {'noted'}
