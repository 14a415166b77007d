-- How a claimed record is completed.
--
--! include settle
--! include continuation
--! include end_claim
--! include plan
local BRIEF = 100 -- ms: no limit is looked up for less, which costs every step

-- The members of the event of an attempt that took longer than its limit; nil of one that kept it.
local function overrun(code)
  local took = NOW - running.at
  if took < BRIEF then return nil end
  local limit = tonumber((plan_of(code)))
  return took > limit and '"took":' .. took .. ',"limit":' .. limit or nil
end

-- Records that a record took effect, or that an undo took it back: {"late"} where its claim was lost and nothing is
-- recorded, else nil and whether it was recorded before, by the first of repeated calls.
local function complete(path, token, output)
  local code = open_saga() and record_of(path)
  if not code then return {'late'} end
  if state[code] == 'done' and get(code .. '.t') == token then return nil, true end
  if not holds(code, token) then return too_late(path, '"result":"done"') end

  local late = overrun(code)
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
