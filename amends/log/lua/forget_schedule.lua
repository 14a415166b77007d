-- Forget a schedule that no worker defines any more.
--
--! include schedule_act
-- ARGV[2] after how many ms without a worker a definition is left
-- Answers {"forgotten"} | {"kept"}: a worker defines it | {"unknown"}: there is no such schedule
if not get('app') then return {'unknown'} end
if NOW - get('seen') < tonumber(ARGV[2]) then return {'kept'} end
redis.call('DEL', SCHEDULE, HISTORY)
redis.call('ZREM', NAMES, ARGV[1])
list_own_act() -- last: a full Redis takes the removal alone as a script's first write
return {'forgotten'}
