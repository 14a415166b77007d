-- How a saga comes to be parked: stuck until a worker can run what comes next.
--
--! include stand_stuck
--! constant LOST_AFTER
-- A sweep looks at it now and then, and lets it go on where its worker can. `quoted` is the reason inside of JSON.
local function park(reason, quoted)
  stand_stuck(reason, quoted)
  set('parked', '0')
  if branch then set('parked_in', branch.field) end  --! shaped
  set_due(NOW + LOST_AFTER)
end
