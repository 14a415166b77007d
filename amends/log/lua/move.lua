-- How a saga comes to another status.
--
--! include change
local function move_to(status)
  if saga.status == 'stuck' then unset('reason') end
  saga.status = status
end

local function stand_stuck(reason)
  move_to('stuck')
  set('reason', reason)
  set_due(NOW)
  add_event('saga.stuck', nil, '"reason":"' .. reason .. '"')
end
