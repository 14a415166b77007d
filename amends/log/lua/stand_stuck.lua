-- How a saga comes to wait for an operator.
--
--! include move
-- `quoted` is the reason inside of JSON, where that differs.
local function stand_stuck(reason, quoted)
  move_to('stuck')
  unset('parked') -- which an operator's act by an earlier release leaves
  set('reason', reason)
  set_due(NOW)
  add_event('saga.stuck', nil, '"reason":"' .. (quoted or reason) .. '"')
end
