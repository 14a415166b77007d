-- How a saga comes to another status.
--
--! include change
local function move_to(status)
  if saga.status == 'stuck' then unset('reason') end
  if saga.parked and status ~= 'stuck' then
    unset('parked')
    unset('parked_in')
  end
  saga.status = status
end
