-- All branches of a stage.
--
--! include branches
--! include chain_ahead
--! include transition
-- The stage whose branches are at hand, or nil.
local function stage_at_hand()
  local first = remaining(1)[1]
  return is_stage(first) and state[first] == 'running' and first:match('^p%d+') or nil
end

-- Calls `act` for each branch of a stage that was opened and has a place, which is open meanwhile. Answers how often that said so.
local function count_branches(stage, act)
  local found = 0
  for number = 1, get(stage .. '.many') or 0 do
    local text = ('%d'):format(number)
    if get(stage .. '.' .. text) then
      enter_branch(stage, text)
      if act() then found = found + 1 end
      leave_branch()
    end
  end
  return found
end
