-- How a saga comes to rest once a record has ended: it ends, stands stuck, or waits for its next message.
--
--! include stand_stuck
--! include next_message
--! include remaining
--! include paths
--! include times
-- The reason to be stuck of a saga that has nothing left to undo, or nil.
local function reason_of_failure()
  for _, code in ipairs(path_ahead()) do
    if state[code] == 'stuck' then return path_of(code) .. ' failed for good' end
  end
end

-- Ends the saga where nothing remains and nothing runs; otherwise sets when it is looked at again.
local function settle()
  if running or #remaining(1) > 0 then return note_sent(NOW) end
  local new = 'completed'
  if saga.direction == 'backward' then
    local reason = reason_of_failure()
    if reason then return stand_stuck(reason) end
    new = 'compensated'
  else
    set('outcome', 'completed')
  end
  set('ended', NOW_TEXT)
  move_to(new)
  set_due(NOW)
  local outcome = get('outcome')
  add_event('saga.finished', nil, '"status":"' .. new .. '","outcome":"' .. outcome .. '"')
  count('ended|' .. saga.name .. '|' .. new .. '|' .. outcome)
  count_time(NOW - saga.created, SAGA_BOUNDS, 'took|' .. saga.name)
end
