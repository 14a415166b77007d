-- Put a person's will over a breaker, or take it away; below it the state stays as it is.
--
-- One that ends by itself is an opening with a time, so that a worker of an earlier release honours its end, too. The first
-- call after it finds out whether the service is back.
--
--! include breaker
-- ARGV[1] "forced_open", "disabled", or '' to take it away   ARGV[2] by   ARGV[3] why
-- ARGV[4] of "forced_open" how long it is so, us, or ''
-- Answers {"overridden"} | {"nothing"}: there was none to take away
local new, by, why, wait = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

if new == '' then
  if not override and not is_forced then return {'nothing'} end
  redis.call('HDEL', BREAKER, 'override', 'forced', 'by', 'why')
  if is_forced then redis.call('HSET', BREAKER, 'until', exact(NOW)) end
  add_event('breaker.cleared', by, 'why', why)
  return {'overridden'}
end
if wait then
  move_to('open')
  redis.call('HDEL', BREAKER, 'override')
  redis.call('HSET', BREAKER, 'until', exact(NOW + wait), 'forced', epoch, 'by', by, 'why', why)
  add_event('breaker.forced_open', by, 'why', why, 'wait', exact(wait))
  return {'overridden'}
end
move_to(state)
redis.call('HSET', BREAKER, 'override', new, 'by', by, 'why', why)
add_event('breaker.' .. new, by, 'why', why)
return {'overridden'}
