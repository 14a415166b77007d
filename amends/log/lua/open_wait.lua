-- Begin a wait, or leave it out: its caller knows its condition and its time.
--
--! include dispatch
--! include order
--! include place
--! include signals
--! include set_going
-- ARGV[2] digests the caller knows, joined by ,   ARGV[3] the longest wait for a message, ms   ARGV[4] path of the wait
-- ARGV[5] when it ends at the latest, ms; +<ms> from now; '' for never; or omit where its condition is false
-- ARGV[6] the saga's outcome if a child turns back
-- Answers what `dispatch` says, and nothing more where another caller was first.
local path, time, outcome = ARGV[4], ARGV[5], ARGV[6]

local function begin_wait(code)
  local ends_at = time:sub(1, 1) == '+' and NOW + time:sub(2) or tonumber(time)
  if saga.status == 'pending' then set_going() end
  set_state(code, 'waiting')
  if is_undo(code) then
    add_event('step.compensating', path)
    return
  end
  if branch and code:sub(-1) == 'k' then add(branch.stage .. '.runs', 1) end
  if code:sub(-1) == 'k' then set(code .. '.n', outcome) end
  if ends_at then set(code .. '.w', ends_at) end
  add_event('step.waiting', path, ends_at and '"until":' .. ends_at or nil)
end

if not open_saga() then return {'nothing', 'there is no such saga'} end
local code = open_record(path)
local is_at_hand = code and remaining(1)[1] == code and not (branch and why_branch_waits())
if is_over() or saga.paused or settling or not is_at_hand then return {'nothing', 'it is not at that wait'} end
if state[code] ~= 'waiting' then
  local is_past = true
  if branch then note_order() end
  if time == 'omit' then
    set_state(code, 'omitted')
    add_event('step.omitted', path)
  else
    begin_wait(code)
    is_past = take_signals(code)
  end
  if is_past then
    settle()
    if branch and remaining(1)[1] then note_unsent(NOW) end
  end
end
leave_branch()
return dispatch(ARGV[2], tonumber(ARGV[3]), false, 0, '')
