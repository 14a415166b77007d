-- How a saga turns back.
--
--! include open_saga
--! include move
--! include remaining
-- The state of a record that did not take effect, for all that is known.
local function state_of_failure(code) return get(code .. '.u') and 'unknown' or 'failed' end

local function turn_back(outcome, error)
  set('direction', 'backward')
  set('outcome', outcome)
  set('error', error)
  move_to('compensating')
  add_event('saga.compensating', nil, '"outcome":"' .. outcome .. '"')
  for code, value in pairs(state) do -- what waits for a retry will not get one
    if value == 'pending' and not is_undo(code) then -- one without tries is a fallback that never started
      set_state(code, get(code .. '.r') and state_of_failure(code) or nil)
    end
  end
end
