-- How ticks are settled.
--
--! include schedule
-- Notes that all is settled that was due until then; what was due in a pause is passed by.
local function settle_until(at)
  local resumed = get('resumed')
  set('cursor', resumed and tonumber(resumed) > tonumber(at) and resumed or at)
  redis.call('HDEL', SCHEDULE, 'decided', 'resumed', 'error')
end
