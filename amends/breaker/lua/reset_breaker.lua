-- Close a breaker by hand: all is zeroed, and no override is left.
--
--! include breaker
-- ARGV[1] by   ARGV[2] why
-- Answers {"reset"}
local by, why = ARGV[1], ARGV[2]

move_to('closed')
redis.call('HDEL', BREAKER, 'until', 'opens', 'override', 'by', 'why')
add_event('breaker.reset', by, 'why', why)
return {'reset'}
