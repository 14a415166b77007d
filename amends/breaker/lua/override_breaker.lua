-- Put a person's will over a breaker, or take it away; below it the state stays as it is.
--
--! include breaker
-- ARGV[1] "forced_open", "disabled", or '' to take it away   ARGV[2] by   ARGV[3] why
-- Answers {"overridden"} | {"nothing"}: there was none to take away
local new, by, why = ARGV[1], ARGV[2], ARGV[3]

if new == '' then
  if not override then return {'nothing'} end
  redis.call('HDEL', BREAKER, 'override', 'by', 'why')
  add_event('breaker.cleared', by, 'why', why)
  return {'overridden'}
end
move_to(state)
redis.call('HSET', BREAKER, 'override', new, 'by', by, 'why', why)
add_event('breaker.' .. new, by, 'why', why)
return {'overridden'}
