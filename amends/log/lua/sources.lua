-- Where the input of a record comes from.
--
--! include open_saga
--! include branches
--! shaped
--! include plan
--! include remaining
--! end
-- The field that a source's JSON is in, or nil: the source is the saga's input, an item, or the output of a step that has one.
local function field_of(source)
  if source == 'i' then return 'input' end
  if source == 't' then return branch.stage .. '.i' .. branch.number end  --! shaped
  for _, code in ipairs({source, source .. 'f'}) do
    local value = state[code]
    if not value and branch then value = line.state[code] end  --! shaped
    if value == 'done' or value == 'skipped' then return code .. '.x' end
  end
end

--! shaped
-- The JSON of a source: null where it has none. Of a step that was in a stage of several branches it is looked for in the
-- fields of both its activities; of one for each item it is the list of all outputs,
-- empty where that stage was left out or passed over. Of a wait for several signals too it is a list.
local function value_of(source)
  local field, none = field_of(source), is_wait(source) and tonumber((plan_of(source))) > 1 and '[]' or 'null'
  if field then return get(field) or none end
  local stage, number = branch_of(source)
  if not stage then return none end
  if number then return get(source .. '.x') or get(source .. 'f.x') or none end
  local of_stage = (branch and line.state or state)[stage]
  if of_stage ~= 'done' then return of_stage == 'skipped' and get(source .. '.x') or '[]' end
  local list, fields = {}, {}
  for item = 1, get(stage .. '.many') do
    fields[#fields + 1] = item .. ':' .. source .. '.x'
    fields[#fields + 1] = item .. ':' .. source .. 'f.x'
  end
  read(fields)
  for item = 1, #fields / 2 do list[item] = get(fields[2 * item - 1]) or get(fields[2 * item]) or 'null' end
  return '[' .. table.concat(list, ',') .. ']'
end
--! plain
local function value_of(source)
  local field = field_of(source)
  return field and get(field) or 'null'
end
--! end
