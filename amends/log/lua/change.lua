-- How the fields of a saga that was read change, and the states of its records.
--
--! include open_saga
--! include transition
local function unset(field) saga[field], unsets[field] = false, true end
local function set_state(code, value) state[code], has_moved = value, true end
local function add(field, by)
  set(field, (get(field) or 0) + by)
  return saga[field]
end
