-- Record that a permitted call failed; the failure that is one too many opens the breaker.
--
--! include late
-- ARGV[1] the permit's epoch, or '' of a killed caller   ARGV[2] its token, or '' of no probe
-- ARGV[3] how long ago a killed caller began, us
-- ARGV[4] failures in a row that open it   ARGV[5] longest time that they may take, us, or ''
-- ARGV[6] time that it is open at first, us   ARGV[7] factor for each further time
-- ARGV[8] longest of these times, us   ARGV[9] factor of the jitter
-- ARGV[10] time that the service asked for instead, us, or ''
-- ARGV[11] by   ARGV[12] why, for the event
-- Answers {"counted", failures in a row} | {"opened", us} | {"late"} | {"disabled"}
local its_epoch, token, ago = ARGV[1], ARGV[2], ARGV[3]
local threshold, window = tonumber(ARGV[4]), tonumber(ARGV[5])
local first, factor, longest, jitter, asked = ARGV[6], ARGV[7], tonumber(ARGV[8]), ARGV[9], tonumber(ARGV[10])
local by, why = ARGV[11], ARGV[12]

if its_epoch == '' then
  if override == 'disabled' then return {'disabled'} end
  -- It began in this epoch, or holds a slot of it.
  if redis.call('ZSCORE', PROBES, token) or NOW - ago >= tonumber(epoch) then its_epoch = epoch end
end
if not is_live(its_epoch, token) then return drop_late() end

local failures = 1
if state == 'closed' then
  local times = {}
  for time in (redis.call('HGET', BREAKER, 'f' .. epoch) or ''):gmatch('%d+') do
    if not window or NOW - time <= window then times[#times + 1] = time end
  end
  times[#times + 1] = exact(NOW)
  failures = #times
  if failures < threshold then
    redis.call('HSET', BREAKER, 'f' .. epoch, table.concat(times, ','))
    let_expire()
    return {'counted', failures}
  end
end
local wait = (asked or math.min(first * factor ^ opens, longest)) * jitter
move_to('open')
redis.call('HSET', BREAKER, 'opens', opens + 1, 'until', exact(NOW + wait))
add_event('breaker.opened', by, 'token', token, 'why', why, 'failures', failures, 'wait', exact(wait))
return {'opened', exact(wait)}
