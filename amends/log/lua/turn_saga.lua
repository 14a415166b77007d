-- Turn a saga back that was completed, for its parent turned back.
--
--! include open_saga
--! include turn_back
--! include pivot
--! include settle
--! include act_continuation
--! include parent
-- ARGV[2] error, JSON
-- Answers what `continuation_of_act` says | {"refused", why} | {"unknown"}: there is no such saga
if not open_saga() then return {'unknown'} end
if saga.direction == 'backward' then return continuation_of_act() end
if not get('parent') or saga.status ~= 'completed' then return {'refused', 'it is ' .. saga.status} end
if passed_pivot() then return {'refused', 'it is past its point of no return'} end
unset('ended')
saga.awaited = 'p|0|-'
set('awaited', saga.awaited)
turn_back('undone', ARGV[2], 'parent')
settle()
return continuation_of_act()
