-- Ask a breaker that is not closed for a permit; the first caller after its time makes it half-open.
--
--! include breaker
-- ARGV[1] token   ARGV[2] lease, us   ARGV[3] probes at a time   ARGV[4] by, for the event
-- Answers {"closed", epoch} | {"disabled"} | {"probe", epoch}
--       | {"rejected", state, us until it may be worth asking again, or '' where nobody knows}
local token, lease, most, by = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

if override == 'disabled' then return {'disabled'} end
if override then return {'rejected', override, ''} end
if state == 'closed' then return {'closed', epoch} end
if state == 'open' then
  if until_ > NOW then return {'rejected', is_forced and 'forced_open' or state, exact(until_ - NOW)} end
  move_to('half_open')
  add_event('breaker.half_opened', by, 'token', token)
end
redis.call('ZREMRANGEBYSCORE', PROBES, '-inf', exact(NOW))
-- A caller that holds a slot gets it again: its message came twice, or its process was killed.
if redis.call('ZSCORE', PROBES, token) or redis.call('ZCARD', PROBES) < most then
  redis.call('ZADD', PROBES, exact(NOW + lease), token)
  let_expire()
  return {'probe', epoch}
end
local first = redis.call('ZRANGE', PROBES, 0, 0, 'WITHSCORES')
return {'rejected', state, exact(first[2] - NOW)}
