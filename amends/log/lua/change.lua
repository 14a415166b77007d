-- How fields of a saga go, and how the states of its records change.
--
--! include transition
local function unset(field) saga[field], unsets[field] = false, true end
local function set_state(code, value)
  state[code], has_moved = value, true
  if code:find('[wk]$') then has_waited = true end  --! shaped
end
