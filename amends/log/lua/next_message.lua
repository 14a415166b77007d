-- The message of what comes next, of the line or of the branch that is open: its number, and when a sweep looks whether it
-- arrived.
--
--! include increment
--! include change
-- Note when the message of what comes next is to arrive, by default the first; soon after, a sweep looks whether it did.
local function note_sent(at, times)
  set_due(at + LEASE)
--! shaped
  if branch then
    branch.sent, branch.dispatches, has_moved = at, times or 1, true
    return
  end
--! end
  set('sent', ('%d'):format(at))
  set('dispatches', times or '1')
end

-- Note that no message is under way: the look at that time publishes.
local function note_unsent(at)
  set_due(at)
--! shaped
  if branch then
    branch.sent, branch.dispatches, has_moved = 0, 0, true
    return
  end
--! end
  set('sent', 0)
  set('dispatches', 0)
end

-- Numbers messages; answers the first number.
local function number_messages(many)
  local last = add('messages', many)
  if branch then branch.message, has_moved = last, true end  --! shaped
  return last - many + 1
end
