-- How an operator's acts reach what waits for them in the branches of a stage.
--
--! include control
--! include each_branch
--! include open_stage
--! include set_going
-- Lets a branch go on in which something waited for an operator, and does no more; it is open.
local function unstick_branch(is_at_rest)
  local stage = branch.stage
  add(stage .. '.stuck', is_at_rest and -1 or 0)
  if saga.direction == 'backward' and is_at_rest then add(stage .. '.open', 1) end
end

-- Lets a stage go on that came to rest with something that waits for an operator; the line is open.
local function unstick_stage(stage)
  if state[stage] == 'stuck' then set_state(stage, get(stage .. '.many') and 'running' or nil) end
  if state[stage .. 'u'] == 'stuck' then open_undo(stage) end
end
