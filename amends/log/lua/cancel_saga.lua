-- Cancel a saga: it starts nothing more and undoes what was done. A running attempt may still finish.
--
--! include act_continuation
--! include control
--! include turn_back
--! include pivot
--! include settle
-- ARGV[8] error, JSON
-- Answers {"advance", message's number}: it goes back now, and something is to be undone or awaited
--       | {"end", status}: it goes back now, and nothing was to be undone; or {"end", "paused"}
--       | {"late", status}: it has ended, or goes back already
--       | {"refused", why} | {"unknown"}: there is no such saga
if not open_saga() then return {'unknown'} end
if acted() then return continuation_of_act() end
if has_ended() or saga.direction == 'backward' then return {'late', saga.status} end
local refused = refusal()
if refused then return refused end
local pivot = passed_pivot()
if pivot then return {'refused', 'it is past ' .. path_of(pivot) .. ', its point of no return, or at it'} end
note_act('saga.cancelled')
turn_back('cancelled', ARGV[8], 'cancelled')
settle()
return continuation_of_act()
