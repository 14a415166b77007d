-- How a saga that stood still goes on.
--
--! include move
-- Leave *stuck*, or *pending* where a step is skipped before any was claimed.
local function set_going() move_to(saga.direction == 'backward' and 'compensating' or 'running') end
