-- Whether a branch is at hand.
--
--! include branches
--! shaped
-- Why nothing of the branch that is open may run, or nil.
local function why_branch_waits()
  local stage, undoes = branch.stage, saga.direction == 'backward'
  if line.state[undoes and stage .. 'u' or stage] ~= 'running' then return 'another stage is at hand' end
  if (',' .. (get(stage .. '.queue') or '') .. ','):find(',' .. branch.number .. ',', 1, true) then return 'it waits for a place' end
end
--! end
