-- Begin a wait, or leave it out: its caller knows its condition and its time.
--
--! include dispatch
--! include place
-- ARGV[2] digests the caller knows, joined by ,   ARGV[3] the longest wait for a message, ms   ARGV[4] path of the wait
-- ARGV[5] when it ends at the latest, ms; +<ms> from now; '' for never; or omit where its condition is false
-- ARGV[6] the saga's outcome if it ends without its signals
-- Answers what `dispatch` says, and nothing more where another caller was first.
local path, ends_at, outcome = ARGV[4], ARGV[5], ARGV[6]

if not open_saga() then return {'nothing', 'there is no such saga'} end
local code = open_record(path)
local is_at_hand = code and remaining(1)[1] == code and not (branch and why_branch_waits())
if is_over() or saga.paused or settling or not is_at_hand then return {'nothing', 'it is not at that wait'} end
if state[code] ~= 'waiting' then
  local is_past = true
  if ends_at == 'omit' then
    set_state(code, 'omitted')
    add_event('step.omitted', path)
  else
    begin_wait(code, ends_at:sub(1, 1) == '+' and NOW + ends_at:sub(2) or tonumber(ends_at), outcome)
    is_past = take_signals(code)
  end
  if is_past then
    settle()
    if branch and remaining(1)[1] then note_unsent(NOW) end
  end
end
leave_branch()
return dispatch(ARGV[2], tonumber(ARGV[3]), false, 0, '')
