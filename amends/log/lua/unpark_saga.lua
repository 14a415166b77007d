-- Let a parked saga go on: a worker can run what comes next. What met workers that could not is counted anew.
--
--! include parked
--! include owe_messages
--! include act_continuation
--! include budget
--! include set_going
-- Answers what `continuation_of_act` says | {"late"}: it is not parked
if not open_saga() or not saga.parked or saga.paused then return {'late'} end
local code = parked_record()
local spent = (get(code .. '.b') or '0,0,0'):match('^(%d+,%d+)')
set(code .. '.b', spent .. ',' .. (get(code .. '.k') or 0))
unset(code .. '.w')
set_going()
add_event('saga.unparked', path_of(code))
leave_branch()
owe_messages()
note_sent(NOW)
return continuation_of_act()
