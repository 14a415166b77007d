-- What follows a record that ended.
--
--! shaped
--! include place
--! end
--! include next_message
--! include parent
--! include cancels
--! include remaining
--! include branches
--! include stage
--! shaped
-- The chain that comes next of the line or of the branch that is open, for whoever asked to publish it.
local function next_chain()
  local list = chain_ahead()
  if not list[1] or tonumber(get(list[1] .. '.w') or 0) > NOW then -- a dispatch knows how long, or what it waits for
    note_unsent(NOW)
    return {'stage'}
  end
  note_sent(NOW)
  local answer = {'next', number_messages(#list)}
  for _, code in ipairs(list) do
    answer[#answer + 1] = path_of(code)
    answer[#answer + 1] = get(code .. '.r') or 0
  end
  return answer
end

-- What follows in a branch, or in its place.
local function continuation_of_branch(link)
  if owes_cancels() and not saga.paused then return {'stage'} end
  if why_branch_waits() then return {'end', saga.status} end
  local first = remaining(1)[1]
  if is_over() or saga.paused then
    if first and not running then note_unsent(NOW) end -- it is published once the saga goes on
    return {'end', saga.paused and 'paused' or saga.status}
  end
  if first and first == record_of(link) then return {'go'} end
  if running or settling then return {'end', saga.status} end
  if first then return next_chain() end
  if not follow_branch() then return {'end', saga.status} end
  return next_chain()
end

-- Whether the branch that is open ended its stage.
local function ended_stage() return branch.dispatches == 0 and branch.sent == tonumber(branch.number) end
--! end

-- What follows the end of a saga: its parent is told.
local function after_end()
  if has_ended() and is_awaited_by_parent() then return {'advance', number_messages(1)} end
  return {'end', saga.status}
end

-- What a task does next that has finished a record, its chain's next link being the one at `link`.
local function continuation(link)
--! shaped
  if branch then
    if not ended_stage() or not why_branch_waits() then return continuation_of_branch(link) end
    leave_branch() -- that is said again
    has_joined = true
    local first = remaining(1)[1]
    if first and was_claimed(first) then return {'end', saga.status} end
  end
--! end
  if is_over() then return after_end() end
  if saga.paused then return {'end', 'paused'} end
  if settling then return {owes_cancels() and 'stage' or 'end', saga.status} end  --! shaped
  local first = remaining(1)[1]
  if first and first == record_of(link) then return {'go'} end
--! shaped
  if is_stage(first) or is_wait(first) then return {'stage'} end
  if has_joined then return next_chain() end
--! end
  set('advance', get('sent'))
  return {'advance', number_messages(1)}
end
