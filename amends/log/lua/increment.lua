-- How a number of a saga grows.
--
--! include open_saga
--! include transition
local function add(field, by)
  set(field, (get(field) or 0) + by)
  return saga[field]
end
