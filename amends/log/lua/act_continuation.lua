-- What follows an act of a person.
--
--! include next_message
--! include place
--! include chain_ahead
--! include parent
--! include cancels
-- What follows it, for the message of amends.advance: that publishes what is owed.
local function continuation_of_act()
  if branch then
    if not running and remaining(1)[1] and not why_branch_waits() then note_unsent(NOW) end
    leave_branch()
  end
  if has_ended() and is_awaited_by_parent() then return {'advance', number_messages(1)} end
  if is_over() or saga.paused or settling and not owes_cancels() then return {'end', saga.paused and 'paused' or saga.status} end
  if chain_ahead()[1] then set('advance', get('sent')) end
  if not due then set_due(NOW + LEASE) end -- its message may be lost, and what waits is looked at seldom
  return {'advance', number_messages(1)}
end
