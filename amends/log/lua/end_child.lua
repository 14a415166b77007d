-- Tell a saga that a child of it has ended, or cannot be.
--
--! include branches
--! include wait
--! include failure
--! include settle
--! include increment
--! include act_continuation
-- ARGV[2] path of its step   ARGV[3] the child's status; failed of one that cannot be started, stuck of one that cannot be undone
-- ARGV[4] its output, or the error, JSON   ARGV[5] children of that step that turned back before it
-- Answers what `continuation_of_act` says | {"late"}: the saga does not wait for that, or for another child by now
local path, status, told, tries = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

local function end_forward(code)
  if branch then add(branch.stage .. '.runs', -1) end
  if status == 'completed' then
    set(code .. '.x', told)
    return end_wait(code)
  end
  set(code .. '.e', told)
  add(code .. '.r', 1)
  fail(code, path, told, true, get(code .. '.n'), status ~= 'failed' and 'child' or nil)
end

local function end_undo(code)
  if status == 'compensated' then return end_wait(code) end
  set(code .. '.e', told)
  set_state(code, 'stuck')
  add_event('step.stuck', path .. ':undo', '"error":' .. told)
end

local code = open_saga() and open_record(path)
if not code or tonumber(get(code .. '.r') or 0) ~= tries then return {'late'} end
if state[code .. 'u'] == 'waiting' and (status == 'compensated' or status == 'stuck') then
  end_undo(code .. 'u')
elseif state[code] == 'waiting' and status ~= 'stuck' then
  end_forward(code)
else
  return {'late'}
end
for _, each in ipairs({code, code .. 'u'}) do
  unset(each .. '.d')
  unset(each .. '.m')
end
settle()
return continuation_of_act()
