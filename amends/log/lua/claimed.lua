-- Whether a record was ever claimed.
--
--! include open_saga
local function was_claimed(code)
  return state[code] ~= nil and (state[code] ~= 'pending' or get(code .. '.r') ~= false)
end
