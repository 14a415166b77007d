-- What follows a record that failed for good: its fallback, the next step, or the way back.
--
--! include plan
--! include turn_back
--! include pivot
local function has_record(code) return plan:find('|' .. code:match('%w+$') .. ':', 1, true) ~= nil end

-- cause: of the way back, if the error does not tell it
local function fail(code, path, error, refused, outcome, cause)
  set_state(code, state_of_failure(code))
  add_event('step.failed', path, '"state":"' .. state[code] .. '","error":' .. error)
  if saga.direction == 'backward' then return end
  local _, _, may_continue = plan_of(code)
  if has_record(code .. 'f') and not refused then
    set_state(code .. 'f', 'pending')
    if state[code] == 'unknown' then set_state(code .. 'u', 'pending') end
    set(code .. '.n', outcome)
    add_event('step.switching', path)
--! shaped
  elseif may_continue ~= 'c' and passed_pivot() then
    set_state(code, 'stuck')
    add_event('step.stuck', path, '"error":' .. error)
--! end
  elseif may_continue ~= 'c' then
    local said_no = error:find('"refused":true', 1, true) -- a quote inside of the message is escaped
    turn_back(outcome, error, cause or said_no and 'refused' or 'failed')
  end
end
