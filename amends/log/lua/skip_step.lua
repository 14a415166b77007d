-- Skip a record that a person did by hand: what comes next, or what failed for good.
--
--! include owe_messages
--! include early
--! include verdict
--! include act_continuation
--! include place
--! include act_on_branches
--! include order
-- ARGV[8] record's path; a step's name stands for its undos that failed, else for what comes next of it; of a step for each item,
-- without an item, for all of its undos that failed   ARGV[9] output, JSON; '' for none, and of a verification: it had no effect
-- Answers what `continuation_of_act` says
--       | {"lacking", path}: it needs an output | {"refused", why} | {"unknown"}: there is no such saga
local path, output = ARGV[8], ARGV[9]

-- The records that are meant of the line, or of the branch that is open, or nil and why there is none.
local function meant(exact)
  local first, list = remaining(1)[1], {}
  local step = exact:match('^([%d:]+)[wk]?$') -- nil for its fallback, its verification or an undo
  local function is_meant(code) return code == exact or step and code:match('^[%d:]+') == step end
  for code, value in pairs(state) do
    if value == 'stuck' and is_meant(code) then list[#list + 1] = code end
  end
  if #list > 0 then return list end
  if first and is_meant(first) then
    if state[first] == 'running' then return nil, path_of(first) .. ' is running' end
    if branch and why_branch_waits() then return nil, path_of(first) .. ' does not come yet: ' .. why_branch_waits() end
    return {first}
  end
  return nil, path .. ' is ' .. (state[exact] or 'pending') .. (first and ', and ' .. path_of(first) .. ' comes next' or '')
end

-- Why these records cannot be skipped with that output, or nil. That a step had no effect is said of its verification.
local function objection(list, exact)
  for _, code in ipairs(list) do
    if is_verification(code) and code ~= exact and output == '' then return {'lacking', path} end
    if is_undo(code) and output ~= '' then return {'refused', path_of(code) .. ' is an undo, which has no output'} end
    if state[code] == 'waiting' and code:find('k', 1, true) then return {'refused', path_of(code) .. ' is a saga of its own: act on that'} end
    local is_time = is_wait(code) and not code:find('k', 1, true) and plan_of(code) == '0'
    if is_time and output ~= '' then return {'refused', path_of(code) .. ' waits for a time, and has no output'} end
    if not is_undo(code) and not is_verification(code) and not is_time and output == '' then return {'lacking', path_of(code)} end
  end
end

local function skip(list)
  local is_at_rest = branch and not running and not remaining(1)[1]
  if branch then note_order() end
  for _, code in ipairs(list) do
    note_act('step.skipped', path_of(code))
    if is_verification(code) then
      conclude(code, output == '' and 'null' or output)
    else
      if not is_undo(code) and output ~= '' then set(code .. '.x', output) end
      if is_wait(code) then unset(code .. '.w') end
      set_state(code, 'skipped')
    end
  end
  return is_at_rest
end

-- The undos that failed of all items of a step, by the numbers of their branches.
local function failed_of_items(code)
  local stage, found = plan:match('|' .. code .. ':%d+:[^:\n]*:%a*:(p%d+)%.'), {}
  count_branches(stage, function()
    for each, value in pairs(state) do
      if value == 'stuck' and is_undo(each) then
        found[branch.number] = found[branch.number] or {}
        table.insert(found[branch.number], each)
      end
    end
  end)
  return stage, found
end

if not open_saga() then return {'unknown'} end
if acted() then return continuation_of_act() end
local refused = refusal()
if refused then return refused end
if saga.parked then owe_messages() end
local of_path = record_of(path)
if not of_path then return {'refused', 'it has no step ' .. path} end
local stage, number = branch_of(of_path)

if stage and not number then -- a step for each item
  if state[stage] == 'stuck' and not get(stage .. '.many') then -- its list is too long
    if output == '' then return {'lacking', path} end
    set(of_path .. '.x', output)
    set_state(stage, 'skipped')
    note_act('step.skipped', path)
    set_going()
    settle()
    return continuation_of_act()
  end
  local of_items, found = failed_of_items(of_path)
  if not next(found) then return {'refused', path .. ' is done for each item: name one, as ' .. path .. '[1]'} end
  if output ~= '' then return {'refused', path .. ' failed in its undos, which have no output'} end
  for each, list in pairs(found) do
    enter_branch(of_items, each)
    if skip(list) then add(of_items .. '.stuck', -1) end
    leave_branch()
  end
  unstick_stage(of_items)
else
  local exact = open_record(path)
  if not exact then return {'refused', path .. ' does not come yet, or there is no such item'} end
  local list, why = meant(exact)
  if not list then return {'refused', why} end
  local objected = objection(list, exact)
  if objected then return objected end
  if stage and line.state[stage] == 'stuck' then
    leave_branch()
    unstick_stage(stage)
    enter_branch(stage, number)
  end
  if skip(list) and stage then
    unstick_branch(true)
    if line.state[stage .. 'u'] == 'stuck' then
      leave_branch()
      unstick_stage(stage)
    end
  end
end
if not running and not (remaining(1)[1] and is_early()) then set_going() end
settle()
return continuation_of_act()
