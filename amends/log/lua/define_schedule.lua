-- Keep the definition of a schedule that a worker has, and note that it has it.
--
--! include schedule
-- ARGV[2] identity of its app   ARGV[3] name of that app   ARGV[4] the definition, JSON   ARGV[5] digest of it
-- ARGV[6] 1 if the worker begins, whose definition replaces another one   ARGV[7] after how many ms without a worker a definition is left
-- ARGV[8] 1 if a worker of the app that has it is alive
-- Answers {"kept"} | {"other"}: the log has another definition, of a worker that began later
--       | {"taken", name of an app}: that app has a schedule of this name
local app, app_name, definition, digest = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local owner = get('app')
if not owner then
  set('app', app, 'app_name', app_name, 'definition', definition, 'digest', digest, 'since', NOW_TEXT, 'seen', NOW_TEXT, 'cursor', NOW_TEXT)
  redis.call('ZADD', NAMES, 0, ARGV[1])
  note('schedule.defined')
  return {'kept'}
end
local is_left = NOW - get('seen') >= tonumber(ARGV[7])
if owner ~= app then
  if ARGV[8] == '1' or not is_left then return {'taken', get('app_name')} end
  set('app', app, 'app_name', app_name)
end
if get('digest') ~= digest then
  if ARGV[6] ~= '1' and not is_left then return {'other'} end
  set('definition', definition, 'digest', digest)
  note('schedule.changed')
end
set('seen', NOW_TEXT)
return {'kept'}
