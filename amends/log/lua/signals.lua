-- How signals end a wait.
--
--! include wait
--! include plan
--! shaped
-- Ends a wait if all of its signals are there; answers whether they are.
local function take_signals(code)
  local wanted, found = tonumber((plan_of(code))), tonumber(get(code .. '.gn') or 0)
  if wanted == 0 or found < wanted then return false end
  set(code .. '.x', wanted == 1 and get(code .. '.g') or '[' .. get(code .. '.g') .. ']')
  end_wait(code)
  return true
end
--! end
