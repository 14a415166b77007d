-- How a record waits without a message: for signals, or for a time.
--
--! include plan
--! include paths
--! include failure
--! include settle
--! include set_going
--! shaped
-- Ends a wait whose signals have come, or its time, where it waited for nothing else.
local function end_wait(code)
  unset(code .. '.w')
  set_state(code, 'done')
  add_event('step.completed', path_of(code))
end

-- Ends a wait if all of its signals are there; answers whether they are.
local function take_signals(code)
  local wanted, found = tonumber((plan_of(code))), tonumber(get(code .. '.gn') or 0)
  if wanted == 0 or found < wanted then return false end
  set(code .. '.x', wanted == 1 and get(code .. '.g') or '[' .. get(code .. '.g') .. ']')
  end_wait(code)
  return true
end

-- Begins a wait that lasts at most until then, in ms, or for good where that is nil. If it ends without its signals that is the
-- saga's outcome.
local function begin_wait(code, ends_at, outcome)
  if saga.status == 'pending' then set_going() end
  set_state(code, 'waiting')
  set(code .. '.n', outcome)
  if ends_at then set(code .. '.w', ends_at) end
  add_event('step.waiting', path_of(code), ends_at and '"until":' .. ends_at or nil)
end

-- Ends a wait whose time has come. A wait for signals failed then.
local function time_out(code)
  if plan_of(code) == '0' then return end_wait(code) end
  unset(code .. '.w')
  local path = path_of(code)
  local error = '{"type":"TimeoutError","message":"' .. path .. ' had ' .. (get(code .. '.gn') or 0) .. ' of '
    .. plan_of(code) .. ' signals when its time was over"}'
  set(code .. '.e', error)
  fail(code, path, error, true, get(code .. '.n'))
end
--! end
