-- How the branches of a stage go on that stood still.
--
--! include each_branch
--! include next_message
-- Notes that a branch that waits is to be published: its message may have come while nothing was claimed.
local function owe_message()
  if running or settling or not remaining(1)[1] then return false end
  note_unsent(NOW)
  return true
end

-- Notes that for all branches at hand. What waits for a place goes on waiting.
local function owe_messages()
  local stage = stage_at_hand()
  if stage then count_branches(stage, owe_message) end
end
