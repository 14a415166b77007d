-- How a saga comes to rest once a record has ended: it ends, stands stuck, or waits for its next message.
--
--! include stand_stuck
--! include next_message
--! include remaining
--! include paths
--! include times
--! include stage
--! shaped
-- The path of a record that failed for good, in the line or in a branch of a stage; nil where there is none.
local function path_of_stuck()
  for _, code in ipairs(path_ahead()) do
    if state[code] == 'stuck' then
      if not is_stage(code) then return path_of(code) end
      local stage = code:match('^p%d+')
      local many = get(stage .. '.many')
      if not many then return path_of(plan:match('\n#' .. stage .. '%.|(%w+)')) end -- its list is too long
      for number = 1, many do
        if get(stage .. '.' .. number) then
          enter_branch(stage, ('%d'):format(number))
          local path = path_of_stuck()
          leave_branch()
          if path then return path end
        end
      end
    end
  end
end

-- Notes that the branch that is open ended its stage: whoever says so again goes on as the first time.
local function note_join()
  if branch then branch.sent, branch.dispatches, has_moved = tonumber(branch.number), 0, true end
end
--! plain
local function path_of_stuck()
  for _, code in ipairs(path_ahead()) do
    if state[code] == 'stuck' then return path_of(code) end
  end
end
--! end

-- Ends the saga where nothing remains and nothing runs; otherwise sets when it is looked at again.
local function settle()
--! shaped
  has_joined = branch ~= nil
  if settling then
    local runs = tonumber(get(settling .. '.runs'))
    if runs == 0 then note_join() end
    leave_branch()
    if runs > 0 then return set_due(NOW + LEASE) end
    set_state(settling, 'done')
    settling = nil
  elseif branch then
    local ended, how = settle_branch()
    if not ended then return end
    note_join()
    leave_branch()
    set_state(ended, how)
  end
--! end
  if running or #remaining(1) > 0 then return note_sent(NOW) end
  local path = path_of_stuck()
  if path then return stand_stuck(path .. ' failed for good') end
  local new = 'completed'
  if saga.direction == 'backward' then new = 'compensated' else set('outcome', 'completed') end
  set('ended', NOW_TEXT)
  move_to(new)
  set_due(NOW)
  local outcome = get('outcome')
  add_event('saga.finished', nil, '"status":"' .. new .. '","outcome":"' .. outcome .. '"')
  count('ended|' .. saga.name .. '|' .. new .. '|' .. outcome)
  count_time(NOW - saga.created, SAGA_BOUNDS, 'took|' .. saga.name)
end
