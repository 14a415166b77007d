-- What a record has used of its budget.
--
--! include open_saga
-- What a record has used since a person last renewed its budget: attempts, deaths, unregistered.
local function used(code)
  read({code .. '.a', code .. '.p', code .. '.k', code .. '.b'})
  local attempts, deaths, unregistered = (get(code .. '.b') or '0,0,0'):match('(%d+),(%d+),(%d+)')
  return (get(code .. '.a') or 0) - attempts, (get(code .. '.p') or 0) - deaths,
    (get(code .. '.k') or 0) - unregistered
end
