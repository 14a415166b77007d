-- Summarize a saga for people: its status, and the record that it stands at.
--
--! include open_saga
--! include branches
--! include chain_ahead
--! include plan
-- Answers {time, status, since when, its name, direction, paused or not: 1 or '', created, outcome or '',
--          reason or '', error or '', path of the record or '', its state, its attempts (calls that died among them), when it may run again
--          or '', its error or '', how many events its history has, paths without items of all records that it stands at in a stage of
--          several branches, joined by ,, and of a wait that has begun how many signals end it, 0 where its time does, or '', and how many came,
--          <its parent's id>|<path of its step> or '', children of this record that turned back before, or '' where it waits for none,
--          1 where one of those records waits for a child, or '', and the circuits that let none of those records through that are
--          to be tried again, joined by ,}
--       | {}: there is no such saga
local PLACELESS = 5
local rank_of = {stuck = 1, running = 2, pending = 3, waiting = 4}
local beside = {} -- the paths of a stage's records at hand, each once
local has_children = '' -- 1 where a record at hand waits for a child
local circuits = {} -- those that records at hand wait for

local function is_waiting_child(code) return code and state[code] == 'waiting' and code:find('k', 1, true) ~= nil end

local function of_row()
  if running then return running.code end
  for _, code in ipairs(path_ahead()) do
    if state[code] == 'stuck' then return code end
  end
  return remaining(1)[1]
end

-- Reads the branches of a stage in one call; answers how many there are, and those that wait for a place.
local function read_branches(stage)
  read({stage .. '.many', stage .. '.queue'})
  local many, fields, waits = get(stage .. '.many') or 0, {}, {}
  for number = 1, many do fields[number] = stage .. '.' .. ('%d'):format(number) end
  read(fields)
  for number in (get(stage .. '.queue') or ''):gmatch('%d+') do waits[number] = true end
  return many, waits
end

-- Notes the circuit that an error names: in JSON no text of its own has these quotation marks.
local function note_circuit(code, failure)
  local name = (state[code] or 'pending') == 'pending' and failure and failure:match('"circuit":"([^"]+)"')
  if name then circuits[name] = name end
end

-- Notes the record of a branch that is at hand.
local function note_beside(code)
  note_circuit(code, redis.call('HGET', SAGA, code .. '.e'))
  if is_waiting_child(code) then has_children = 1 end
  local of_plan = code:match('%w+$')
  beside[of_plan] = beside[of_plan] or (path_of(code):gsub('%[%d+%]', ''))
end

-- Of a stage the branch counts that is stuck, else one that runs, else the first that has a place and is not finished.
local function of_stage(stage)
  local many, waits = read_branches(stage)
  local best, where
  for number = 1, many do
    if get(stage .. '.' .. number) then
      enter_branch(stage, ('%d'):format(number))
      local code = of_row()
      local rank = code and (waits[branch.number] and PLACELESS or rank_of[state[code] or 'pending'])
      if rank and rank ~= PLACELESS then note_beside(code) end
      if rank and (not best or rank < best) then best, where = rank, branch.number end
    end
  end
  if not where then return nil end
  enter_branch(stage, where)
  return of_row()
end

-- The first record of a stage that was not opened yet, or of whose undo that is so.
local function of_unopened(code)
  local stage, undoes = code:match('^(p%d+)(u?)$')
  local first = plan:match('\n#' .. stage .. '%.%d*|(%w+)')
  return plan:find('|' .. first .. undoes .. ':', 1, true) and first .. undoes or first
end

local function at_hand()
  if has_ended() then return nil end
  if get('parked_in') then enter_branch(get('parked_in'):match('^(p%d+)%.(%d+)$')) end
  local code = settling or of_row()
  if not is_stage(code) then return code end
  return of_stage(code:match('^p%d+')) or of_unopened(code)
end

local function joined(paths)
  local list = {}
  for _, path in pairs(paths) do list[#list + 1] = path end
  table.sort(list)
  return table.concat(list, ',')
end

if not open_saga() then return {} end
read({'outcome', 'reason', 'error', 'folded', 'parent'})
local since = redis.call('ZSCORE', index_of(saga.status), ID)
local answer = {NOW, saga.status, since or saga.created, saga.name, saga.direction, saga.paused and 1 or '', saga.created,
  saga.outcome or '', saga.reason or '', saga.error or ''}
local code = at_hand()
local own = code and redis.call('HMGET', SAGA, code .. '.a', code .. '.w', code .. '.e', code .. '.p', code .. '.q', code .. '.gn') or {}
answer[11], answer[12] = code and path_of(code) or '', code and state[code] or 'pending'
answer[13], answer[14], answer[15] = (own[1] or 0) + (own[4] or 0) + (own[5] or 0), (answer[12] == 'pending' or answer[12] == 'waiting') and own[2] or '', own[3] or ''
if saga.status == 'pending' and (tonumber(get('begins')) or 0) > NOW then answer[14] = get('begins') end
answer[16] = redis.call('LLEN', HISTORY) + (saga.folded or 0)
answer[17] = joined(beside)
local is_for_child = is_waiting_child(code)
answer[18], answer[19] = is_wait(code) and not is_for_child and answer[12] == 'waiting' and plan_of(code) or '', own[6] or 0
answer[20], answer[21] = saga.parent or '', is_for_child and (get(code:gsub('u$', '') .. '.r') or 0) or ''
answer[22] = is_for_child and 1 or has_children
if code then note_circuit(code, own[3]) end
answer[23] = joined(circuits)
return answer
