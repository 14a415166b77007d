-- The point of no return.
--
--! include open_saga
--! shaped
-- Whether a record of the line took effect, or may have.
local function may_stand(code)
  local states = branch and line.state or state
  local value, void = states[code], states[code .. 'u']
  if value == 'pending' then return get(code .. '.u') ~= false end
  if value == 'unknown' then return void ~= 'done' and void ~= 'skipped' end
  return value == 'running' or value == 'done' or value == 'skipped' or value == 'stuck'
end

-- The step that is the saga's point of no return, once that took effect or may have: the saga turns no more.
local function passed_pivot()
  if not plan:find(':n', 1, true) then return nil end
  local code = plan:match('|(%d+):%d+:[^:\n]*:n')
  return (may_stand(code) or may_stand(code .. 'f')) and code or nil
end
--! end
