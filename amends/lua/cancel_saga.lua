-- Cancel a saga: it starts nothing more and undoes what was done. A running attempt may still finish.
--
--! include saga
-- ARGV[2] error, JSON   ARGV[3] who and why, JSON members for the event, or ''
-- Answers {"advance", message's number}: it goes back now, and something is to be undone or awaited
--       | {"end", status}: it goes back now, and nothing was to be undone
--       | {"late", status}: it has ended, or goes back already | {"unknown"}: there is no such saga
local error, members = ARGV[2], ARGV[3]

if not open_saga() then return {'unknown'} end
if is_over() or direction == 'backward' then return {'late', status} end
add_event('saga.cancelled', nil, members ~= '' and members or nil)
turn_back('cancelled', error)
settle()
return continuation('')
