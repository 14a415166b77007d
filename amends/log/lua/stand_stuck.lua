-- How a saga comes to wait for an operator.
--
--! include move
local function stand_stuck(reason)
  move_to('stuck')
  set('reason', reason)
  set_due(NOW)
  add_event('saga.stuck', nil, '"reason":"' .. reason .. '"')
end
