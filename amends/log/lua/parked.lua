-- What a parked saga waits for.
--
--! include branches
--! include remaining
-- The record that no worker can run; the branch that it is in is open then.
local function parked_record()
  local field = get('parked_in')
  if field then enter_branch(field:match('^(p%d+)%.(%d+)$')) end
  return remaining(1)[1]
end
