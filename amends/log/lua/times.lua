-- How times are counted.
--
--! include transition
--! constant SAGA_BOUNDS
--! constant ATTEMPT_BOUNDS
-- Counts a time in ms by the first bound, in seconds, that it is within. It is 0 where the clock went back meanwhile,
-- as at a failover: what is counted never decreases.
local function count_time(ms, bounds, words)
  local within = 'inf'
  ms = math.max(ms, 0)
  for bound in bounds:gmatch('%S+') do
    if ms <= bound * 1000 then
      within = bound
      break
    end
  end
  count(words .. '|' .. within)
  count(words .. '|sum', ('%d'):format(ms))
end
