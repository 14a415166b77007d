-- How a saga turns back.
--
--! include open_saga
--! include move
--! include remaining
-- The state of a record that did not take effect, for all that is known.
local function state_of_failure(code) return get(code .. '.u') and 'unknown' or 'failed' end

-- What waits for a retry will not get one, and a wait has no end; a child is waited for.
local function give_up_waiting()
  for code, value in pairs(state) do
    if value == 'waiting' and code:sub(-1) == 'w' then  --! shaped
      unset(code .. '.w')  --! shaped
      set_state(code, nil)  --! shaped
    end  --! shaped
    local is_effect = not is_undo(code)
    if is_verification(code) then is_effect = false end  --! shaped
    if value == 'pending' and is_effect then -- one without tries is a fallback that never started
      set_state(code, get(code .. '.r') and state_of_failure(code) or nil)
    end
  end
end

-- cause: refused | failed | unanswered (a wait) | timed_out (the saga) | cancelled | child or parent, which turned back
local function turn_back(outcome, error, cause)
  set('direction', 'backward')
  set('outcome', outcome)
  set('error', error)
  move_to('compensating')
  add_event('saga.compensating', nil, '"outcome":"' .. outcome .. '"')
  count('turned|' .. saga.name .. '|' .. cause)
--! shaped
  turns_now = true
  for code, value in pairs(line and line.state or state) do
    local is_a_stage = code:sub(1, 1) == 'p'
    if is_a_stage and value == 'running' then settling = code end
    if is_a_stage and value == 'stuck' then set_state(code, 'done') end -- nothing of it goes on; the line is open
  end
--! end
  give_up_waiting()
end
