-- Cancel a saga: it starts nothing more and undoes what was done. A running attempt may still finish.
--
--! include saga
-- ARGV[2] token   ARGV[3] error, JSON   ARGV[4] who and why, JSON members for the event, or ''
-- Answers {"advance", message's number}: it goes back now, and something is to be undone or awaited
--       | {"end", status}: it goes back now, and nothing was to be undone
--       | {"late", status}: it has ended, or goes back already | {"unknown"}: there is no such saga
local token, error, members = ARGV[2], ARGV[3], ARGV[4]

if not open_saga() then return {'unknown'} end
if redis.call('HGET', SAGA, 'cancelled') == token then return continuation('') end
if is_over() or direction == 'backward' then return {'late', status} end
redis.call('HSET', SAGA, 'cancelled', token)
add_event('saga.cancelled', nil, members ~= '' and members or nil)
turn_back('cancelled', error)
settle()
return continuation('')
