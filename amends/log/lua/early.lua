-- When a delayed start begins.
--
--! include next_message
-- Whether the saga is to begin later: it holds no message until then. Its life counts from when it begins.
local function is_early()
  local begins = saga.status == 'pending' and tonumber(get('begins'))
  if not begins then return false end
  if begins > NOW then
    note_unsent(begins + TIMED)
    return true
  end
  if tonumber(saga.created) < begins then
    set('created', ('%d'):format(begins))
    has_waited = true
  end
  return false
end
