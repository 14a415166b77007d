-- Let a parked saga go on: a worker can run what comes next. What met workers that could not is counted anew.
--
--! include budget
--! include set_going
--! include continuation
-- Answers {"advance", message's number} | {"late"}: it is not parked
if not open_saga() or not saga.parked or saga.paused then return {'late'} end
local code = remaining(1)[1]
local spent = (get(code .. '.b') or '0,0,0'):match('^(%d+,%d+)')
set(code .. '.b', spent .. ',' .. (get(code .. '.k') or 0))
unset(code .. '.w')
set_going()
add_event('saga.unparked', path_of(code))
note_sent(NOW)
return continuation('')
