-- The order in which the branches of a stage began.
--
--! include branches
--! include transition
--! shaped
-- Notes that the branch that is open begins, where nothing of it did before and its stage is undone in order.
local function note_order()
  local stage = branch.stage
  if next(state) == nil and plan:find('|' .. stage .. ':%d+:[^:]*:%a*o') then
    set(stage .. '.order', (get(stage .. '.order') or '') .. branch.number .. ',')
  end
end
--! end
