-- How a claim ends.
--
--! include change
--! include holds
--! include increment
--! include times
-- A result that comes too late: kept as an event alone, and never where there is no saga.
local function too_late(path, members)
  add_event('step.late', path, members)
  return {'late'}
end

-- An attempt that ended: its claim is spent whatever it brought, an attempt only if it made one.
local function end_claim(path, spent)
  if spent then
    count_time(NOW - running.at, ATTEMPT_BOUNDS, 'ran|' .. saga.name .. '|' .. counted(path))
    set(running.code .. '.a', running.attempt)
  end
  set(running.code .. '.t', running.token)
  running, has_moved = nil, true
  if branch then add(branch.stage .. '.runs', -1) end  --! shaped
end
