-- The message of what comes next: its number, and when a sweep looks whether it arrived.
--
--! include increment
-- Note when the message of what comes next is to arrive; soon after, a sweep looks whether it did.
local function note_sent(at)
  set('sent', ('%d'):format(at))
  set('dispatches', '1')
  set_due(at + LEASE)
end

-- Note that no message is under way: the look at that time publishes.
local function note_unsent(at)
  set('sent', 0)
  set('dispatches', 0)
  set_due(at)
end

-- Numbers messages; answers the first number.
local function number_messages(many) return add('messages', many) - many + 1 end
