-- Skip a record that a person did by hand: what comes next, or an undo that failed for good.
--
--! include control
--! include set_going
--! include settle
--! include continuation
-- ARGV[5] record's path; a step's name stands for its undos that failed, else for what comes next of it
-- ARGV[6] output, JSON; '' for none
-- Answers {"advance", message's number} | {"end", status} | {"end", "paused"}
--       | {"lacking", path}: it needs an output | {"refused", why} | {"unknown"}: there is no such saga
local path, output = ARGV[5], ARGV[6]

-- The records that are meant, or nil and why there is none.
local function meant()
  local first, list = remaining(1)[1], {}
  local exact = record_of(path)
  if not exact then return nil, 'it has no step ' .. path end
  for code, value in pairs(state) do
    if value == 'stuck' and (code == exact or code:match('^%d+') == exact) then list[#list + 1] = code end
  end
  if #list > 0 then return list end
  if first and (first == exact or first:match('^%d+') == exact) then
    if state[first] == 'running' then return nil, path_of(first) .. ' is running' end
    return {first}
  end
  return nil, path .. ' is ' .. (state[exact] or 'pending') .. (first and ', and ' .. path_of(first) .. ' comes next' or '')
end

if not open_saga() then return {'unknown'} end
if acted() then return continuation('') end
local refused = refusal()
if refused then return refused end
local list, why = meant()
if not list then return {'refused', why} end
for _, code in ipairs(list) do
  if is_undo(code) and output ~= '' then return {'refused', path_of(code) .. ' is an undo, which has no output'} end
  if not is_undo(code) and output == '' then return {'lacking', path_of(code)} end
end

for _, code in ipairs(list) do
  if not is_undo(code) then set(code .. '.x', output) end
  set_state(code, 'skipped')
  note_act('step.skipped', path_of(code))
end
if not running then set_going() end
settle()
return continuation('')
