-- How a claimed record is completed.
--
--! include settle
--! shaped
--! include verdict
--! end
--! include continuation
--! include end_claim
--! include plan
--! include branches
local BRIEF = 100 -- ms: no limit is looked up for less, which costs every step

-- The members of the event of an attempt that took as long as its limit; nil of one that kept it. Celery counts the limit
-- from when the process got the message, which is some ms before the claim.
local function overrun(code)
  local took = NOW - running.at
  if took < BRIEF then return nil end
  local limit = tonumber((plan_of(code)))
  return took + BRIEF > limit and '"took":' .. took .. ',"limit":' .. limit or nil
end

-- Records that a record took effect, that its condition is false, or that an undo took it back: {"late"} where its claim was lost and nothing is
-- recorded, else nil and whether it was recorded before, by the first of repeated calls.
local function complete(path, token, output)
  local code = open_saga() and open_record(path)
  if not code then return {'late'} end
  local is_over_with = state[code] == 'done'
  if state[code] == 'omitted' or is_verification(code) and state[code] == nil then is_over_with = true end  --! shaped
  if is_over_with and get(code .. '.t') == token then return nil, true end
  if not holds(code, token) then return too_late(path, '"result":"done"') end

  local late = overrun(code)
--! shaped
  if is_verification(code) then
    end_claim(path, true)
    conclude(code, output)
    settle()
    return nil, false
  end
--! end
--! shaped
  if output == '' then
    set_state(code, 'omitted')
    end_claim(path, false)
    add_event('step.omitted', path)
    settle()
    return nil, false
  end
--! end
  set_state(code, 'done')
  end_claim(path, true)
  if is_undo(code) then
    add_event('step.compensated', path, late)
  else
    set(code .. '.x', output)
    add_event('step.completed', path, late)
  end
  settle()
  return nil, false
end
