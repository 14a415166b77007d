-- The records that stages of several branches stand for.
--
--! include branches
--! include chain_ahead
-- The records of a list in its order, with those that remain of the branches of each stage in its place. `change` is
-- called with each branch open. Of a stage that was not opened yet all that it may come to.
local function expanded(list, change)
  local found = {}
  local function add_remaining()
    if change then change() end
    for _, code in ipairs(remaining()) do found[#found + 1] = code end
  end
  for _, each in ipairs(list) do
    local stage, many = each:match('^p%d+'), nil
    if not stage then
      found[#found + 1] = each
    elseif state[stage] == nil then
      for codes_of_branch in plan:gmatch('\n#' .. stage .. '%.%d*|([^\n]*)') do
        for code in codes_of_branch:gmatch('%w+') do
          if not code:find('[fu]') then found[#found + 1] = code end
        end
      end
    else
      many = get(stage .. '.many')
      local fields = {}
      for number = 1, many or 0 do fields[number] = stage .. '.' .. ('%d'):format(number) end
      read(fields)
    end
    for number = 1, many or 0 do
      if each == stage or many then
        enter_branch(stage, ('%d'):format(number))
        add_remaining()
        codes, state, running, branch = line.codes, line.state, nil, nil
      end
    end
  end
  return found
end
