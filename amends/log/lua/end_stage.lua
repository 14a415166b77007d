-- End a stage before it is opened: its condition is false, or its list is too long.
--
--! include dispatch
-- ARGV[2] digests the caller knows, joined by ,   ARGV[3] the longest wait for a message, ms
-- ARGV[4] the stage   ARGV[5] path of its step, or '' of several   ARGV[6] error, JSON; '' where its condition is false
-- ARGV[7] the saga's outcome if this ends it
-- Answers what `dispatch` says.
local stage, path, error, outcome = ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local function omit()
  set_state(stage, 'omitted')
  add_event('step.omitted', path_of(stage))
end

local function refuse()
  local code = record_of(path)
  local _, _, may_continue = plan_of(code)
  set(code .. '.e', error)
  if may_continue == 'c' or not passed_pivot() then
    set_state(stage, 'failed')
    add_event('step.failed', path, '"state":"failed","error":' .. error)
    if may_continue ~= 'c' then turn_back(outcome, error, 'failed') end
    return
  end
  set_state(stage, 'stuck')
  add_event('step.stuck', path, '"error":' .. error)
end

if not open_saga() then return {'nothing', 'there is no such saga'} end
if is_over() or saga.paused or settling or remaining(1)[1] ~= stage then return {'nothing', 'it is not at that stage'} end
if state[stage] == nil then
  if error == '' then omit() else refuse() end
  settle()
end
return dispatch(ARGV[2], tonumber(ARGV[3]), false, 0, '')
