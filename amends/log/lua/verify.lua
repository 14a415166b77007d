-- How a step is verified: its receiver is asked whether an attempt took effect of which nobody knows.
--
--! include change
--! include plan
--! include increment
--! shaped
-- Whether a record is verified, where the effect of an attempt is unknown.
local function is_verified(code) return plan:find('|' .. code:match('%w+$') .. 'v:', 1, true) ~= nil end

-- Has a record verified once its receiver may know. What follows if it had no effect is kept: `then_` is `retry`, or
-- `fail`, or `refused` where no fallback follows.
local function ask(code, then_, outcome)
  local _, _, _, settle = plan_of(code .. 'v')
  set_state(code, 'unknown')
  set_state(code .. 'v', 'pending')
  set(code .. '.h', then_)
  set(code .. '.n', outcome or '')
  local used_before = {}
  for k, field in ipairs({'v.a', 'v.p', 'v.k'}) do used_before[k] = get(code .. field) or 0 end
  set(code .. 'v.b', table.concat(used_before, ',')) -- each question has a budget of its own
  if get(code .. 'v.a') then add(code .. 'v.r', 1) end -- a claim of an earlier question that comes late is none of this one
  set(code .. 'v.y', NOW + (tonumber(settle) or 0))
  set(code .. 'v.w', saga[code .. 'v.y'])
end
--! end
