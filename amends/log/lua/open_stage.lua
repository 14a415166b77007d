-- How a stage of several branches begins, and how its undo does.
--
--! include stage
--! include plan
--! include settle
--! include turn_back
-- Lets so many branches be opened at once, 0 for all; the others of the list wait for a place.
local function give_places(stage, list, bound)
  local waiting = {}
  for k, number in ipairs(list) do
    if bound == 0 or k <= bound then
      enter_branch(stage, number)
      branch.sent, branch.dispatches, has_moved = 0, 0, true
      leave_branch()
    else
      waiting[#waiting + 1] = number
    end
  end
  set(stage .. '.queue', table.concat(waiting, ','))
  set(stage .. '.open', #list)
  set(stage .. '.runs', 0)
  set(stage .. '.stuck', 0)
end

local function bound_of(stage)
  local _, _, _, bound = plan_of(stage)
  return tonumber(bound) or 0
end

-- Opens the branches of a stage.
local function open_stage(stage, many)
  local list = {}
  for number = 1, many do list[number] = ('%d'):format(number) end
  set(stage .. '.many', many)
  give_places(stage, list, bound_of(stage))
  set_state(stage, many > 0 and 'running' or 'done')
end

-- The branches of a stage in the order of their undo.
local function undo_order(stage, many)
  local list, before = {}, {}
  for number in (get(stage .. '.order') or ''):gmatch('%d+') do
    table.insert(list, 1, number)
    before[number] = true
  end
  for number = many, 1, -1 do
    local text = ('%d'):format(number)
    if not before[text] then list[#list + 1] = text end
  end
  return list
end

-- Opens the undo of a stage in which something may have taken effect: in the branches that owe one.
local function open_undo(stage)
  local many, owing, stuck, fields = tonumber(get(stage .. '.many') or 0), {}, 0, {}
  for number = 1, many do fields[number] = stage .. '.' .. ('%d'):format(number) end
  read(fields)
  for _, number in ipairs(undo_order(stage, many)) do
    if get(stage .. '.' .. number) then
      enter_branch(stage, number)
      give_up_waiting()
      if #remaining(1) > 0 then owing[#owing + 1] = number elseif is_stuck() then stuck = stuck + 1 end
      branch.sent, branch.dispatches, has_moved = 0, 1, true
      leave_branch()
    end
  end
  local _, _, flags = plan_of(stage)
  give_places(stage, owing, flags:find('o', 1, true) and 1 or bound_of(stage))
  set(stage .. '.stuck', stuck)
  set_state(stage .. 'u', #owing > 0 and 'running' or stuck > 0 and 'stuck' or 'done')
end
