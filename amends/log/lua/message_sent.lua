-- The last message of what comes next.
--
--! include open_saga
-- When it was sent, and how many were, for the line or for the branch that is open.
local function message_sent()
  if branch then return branch.sent, branch.dispatches end  --! shaped
  return tonumber(get('sent')), tonumber(get('dispatches'))
end
