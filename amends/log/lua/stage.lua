-- How a stage of several branches goes on when one of them comes to rest.
--
--! shaped
--! include claimed
--! end
--! include next_message
--! shaped
--! include branches
--! end
--! shaped
--! include chain_ahead
--! end
local has_joined = false -- whether a stage ended in this transition  --! shaped

--! shaped
-- Whether anything of the branch that is open waits for an operator.
local function is_stuck()
  for _, value in pairs(state) do
    if value == 'stuck' then return true end
  end
  return false
end

-- Takes the first branch from those that wait for a place, or nil.
local function take_from_queue(stage)
  local number, rest = (get(stage .. '.queue') or ''):match('^(%d+),?(.*)$')
  if number then set(stage .. '.queue', rest) end
  return number
end

-- Opens the branch that gets the place of the one that is open and finished, the same each time; answers whether one does.
local function follow_branch()
  local stage, number = branch.stage, branch.sent
  if branch.dispatches ~= 0 then return false end -- it had no place
  if number == 0 then
    number = take_from_queue(stage)
    if not number then return false end
    branch.sent, has_moved = tonumber(number), true
    leave_branch()
    enter_branch(stage, number)
    return true
  end
  leave_branch()
  enter_branch(stage, ('%d'):format(number))
  if running then return false end
  for code in pairs(state) do
    if is_undo(code) == (saga.direction == 'backward') and was_claimed(code) then return false end
  end
  return true
end

-- Brings the branch that is open to rest once a record of it has ended. Answers the record of the line that its stage
-- ended with, which is open then, and its state; or nil.
local function settle_branch()
  local stage = branch.stage
  if running or #remaining(1) > 0 then
    note_sent(NOW)
    return nil
  end
  branch.sent, branch.dispatches, has_moved = 0, 0, true
  local stands = is_stuck() and add(stage .. '.stuck', 1) or tonumber(get(stage .. '.stuck') or 0)
  if saga.direction == 'backward' then
    if add(stage .. '.open', -1) > 0 then return nil end
    return stage .. 'u', stands > 0 and 'stuck' or 'done'
  end
  local open = is_stuck() and tonumber(get(stage .. '.open')) or add(stage .. '.open', -1)
  if open == 0 then return stage, 'done' end
  return open == stands and stage or nil, 'stuck'
end
--! end
