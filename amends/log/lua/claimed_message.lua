-- The message of a claim.
--
--! include open_saga
--! shaped
--! include chain_ahead
--! plain
--! include remaining
--! end
-- When the message that this owner claims for was to arrive, or nil where nobody knows: it is none of this saga's, or not
-- the last that was numbered for what remains.
local function due_at(owner)
  local message = owner:match('[^:]*$')
  local number = message:sub(1, #ID + 1) == ID .. '.' and message:match('^%d+', #ID + 2)
  if not number then return nil end
--! shaped
  local last, sent = get('messages'), get('sent')
  if branch then last, sent = branch.message, branch.sent end
  if number + #chain_ahead() - 1 == tonumber(last) then return tonumber(sent) end
--! plain
  if number + #remaining() - 1 == tonumber(get('messages')) then return tonumber(get('sent')) end
--! end
end
