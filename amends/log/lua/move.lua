-- How a saga comes to another status.
--
--! include change
local function move_to(status)
  if saga.status == 'stuck' then unset('reason') end
  saga.status = status
end
