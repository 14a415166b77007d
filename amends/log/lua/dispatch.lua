-- What remains of a saga, for the chains that are to be published, or for a look whether their messages are under way.
--
--! include message_sent
--! include early
--! include parked
--! include definition
--! include plan
--! include budget
--! include turn_back
--! include failure
--! include settle
--! include open_stage
--! include pivot
--! include sources
--! include wait
--! include parent
-- Answers {kind, digest, itinerary or '', the saga's trace or '', ...} of the line:
--         {"publish", ..., first message's number, ms until the first may run,
--          now (ms) where it is a copy of a message that was lost, or '', path, tries, path, tries, ...}
--       | {"running", ..., path, token, owner, attempts and deaths since a person
--          renewed them, deaths of whole workers, when it was claimed, ms since then, ms until its limit, ms until it is given up,
--          identity of the app that started it or ''}
--       | {"waiting", ..., path, 1 where its message is overdue, when it was to arrive (ms),
--          how many there were, the number of the first that is not superseded, 1 where it is that of amends.advance,
--          identity of that app or '', the branch's field or ''}
--       | {"parked", ..., path of what comes next, identity of that app or ''}
--       | {"expand", ..., the stage, source, JSON, source, JSON, ...}: its branches are to be told by `expand_stage`
--       | {"open", ..., path of a wait, source, JSON, source, JSON, ...}: its condition and its time are to be told by `open_wait`
--       | {"child", ..., path, start cancel or turn, attempts of it before, source, JSON, ...}: what is to be done about the child
--       | {"ended", ..., its parent, identity of that app or ''}: the saga has ended, and its parent is to be told
--       | {"stage", ..., {kind, ...}, {kind, ...}, ...}: such answers, without these three, of its branches
--       | {"nothing", why}

-- A message is overdue after 1, 2, 4 ... 10 minutes, and looked at six times sooner, as its queue may be empty.
-- Where it is not, it is looked at again after a quarter of the time that it is under way, within 15 s and 2 minutes;
-- of a shard at most one saga a second, however many wait: a sweep that finds lost ones hastens the others.
--! constant LOST_AFTER
--! constant LOST_AFTER_AT_MOST
--! constant SOONER
local LOOK, LOOK_AT_MOST, LOOK_EACH = 15000, 120000, 1000

local function patience_after(times)
  return math.min(LOST_AFTER * 2 ^ math.min(times - 1, 10), LOST_AFTER_AT_MOST)
end

-- Looks at the message of the line, or of the branch that is open; nil where it is under way.
local function look_at_message(list)
  local sent, times = message_sent()
  local patience = patience_after(times)
  if NOW < sent + patience / SOONER then
    set_due(sent + patience / SOONER)
    return nil
  end
  local overdue = NOW >= sent + patience
  local calm = math.min(math.floor((NOW - sent) / 4), LOOK_AT_MOST)
  local look = NOW + math.max(LOOK, calm, redis.call('ZCOUNT', DUE, '-inf', ('(%d'):format(TIMED)) * LOOK_EACH)
  if times == 0 then look = NOW + LOOK end -- none was sent: whose app it is publishes, and another's may have looked
  set_due(overdue and look or math.min(sent + patience, look))
  local is_advance = not branch and get('advance') == get('sent')
  return {'waiting', path_of(list[1]), overdue and 1 or 0, sent, times,
    (branch and branch.message or get('messages')) - #list + 1, is_advance and 1 or 0, get('app') or '',
    branch and branch.field or ''}
end

local function look_at_claim(again)
  set_due(math.max(NOW, math.min(NOW + again, running.given_up_at + 0)))
  local attempts, deaths = used(running.code)
  return {'running', path_of(running.code), running.token, running.owner, attempts, deaths, get(running.code .. '.q') or 0,
    running.at, NOW - running.at, running.at + plan_of(running.code) - NOW, running.given_up_at - NOW, get('app') or ''}
end

-- Notes that the chain of these records is published; says what it is.
local function publish(list, wait)
  local sent, times = message_sent()
  if NOW >= sent + patience_after(times) / SOONER then times = times + 1 end -- the one before is lost
  note_sent(NOW + wait, times)
  local answer = {'publish', number_messages(#list), wait, wait == 0 and times > 1 and NOW_TEXT or ''}
  for _, code in ipairs(list) do
    answer[#answer + 1] = path_of(code)
    answer[#answer + 1] = get(code .. '.r') or 0
  end
  return answer
end

-- What a look finds of the line, or of the branch that is open, or what of it is published where `may_publish`; or nil and why.
local function look(list, longest, only_look, again, may_publish)
  if running then return (only_look or not branch) and look_at_claim(again) or nil end
  if not list[1] then return nil end
  local wait = math.max(0, (get(list[1] .. '.w') or NOW) - NOW)
  if wait > longest then
    if is_verification(list[1]) then note_unsent(NOW + wait) else set_due(NOW + wait) end
    return nil, 'it waits in the log'
  end
  if not only_look then return may_publish and publish(list, wait) or nil end
  if wait > 0 then
    set_due(NOW + wait + LEASE)
    return nil, 'it waits for its next attempt'
  end
  return look_at_message(list), 'its message is under way'
end

-- What whoever tells the branches of a stage, or the time of a wait, needs to know.
local function expansion(kind, name, sources)
  local answer = {kind, name}
  for source in sources:gmatch('[^,]+') do
    answer[#answer + 1] = source
    answer[#answer + 1] = value_of(source)
  end
  return answer
end

-- What is owed to the child that a record waits for, or nil: to start it, to cancel it, or to turn it back; and now and then once
-- more, for its end may not have been told, and a failover may have lost what was done.
local function deed_for_child(code)
  if not code:find('k', 1, true) then return nil end
  local deed = is_undo(code) and 'turn' or saga.direction == 'forward' and 'start' or 'cancel'
  if get(code .. '.d') == deed and tonumber(get(code .. '.m')) > NOW then return nil end
  return deed
end

-- Looks at a wait of the line, or of the branch that is open: what is to be told or published, or nil where it goes on.
local function look_at_wait(code, only_look)
  local deed
  if state[code] == 'waiting' then
    deed = deed_for_child(code)
    if not deed then
      set_due(tonumber(get(code .. '.w') or get(code .. '.m') or NEVER) + TIMED)
      return nil
    end
  end
  if not only_look then
    local answer = expansion(deed and 'child' or 'open', path_of(code), select(2, plan_of(code)))
    if deed then
      table.insert(answer, 3, deed)
      table.insert(answer, 4, get(code:gsub('u$', '') .. '.r') or 0)
    end
    return answer
  end
  set_due(NOW + LOOK)
  return {'waiting', path_of(code), 1, NOW, 0, 0, 0, get('app') or '', branch and branch.field or ''}
end

-- Ends a wait whose time has come. A wait for signals failed then.
local function time_out(code)
  if plan_of(code) == '0' then return end_wait(code) end
  unset(code .. '.w')
  local path = path_of(code)
  local error = '{"type":"TimeoutError","message":"' .. path .. ' had ' .. (get(code .. '.gn') or 0) .. ' of '
    .. plan_of(code) .. ' signals when its time was over"}'
  set(code .. '.e', error)
  fail(code, path, error, true, plan:match('|' .. code:match('%w+$') .. ':[^\n]*;([%w_]+)'), 'unanswered')
end
-- Ends a wait of the line, or of the branch that is open, whose time has come; answers whether it did.
local function end_in_time(code)
  if not is_wait(code) or state[code] ~= 'waiting' or tonumber(get(code .. '.w') or NEVER) > NOW then return false end
  time_out(code)
  settle()
  if not is_over() and remaining(1)[1] then note_unsent(NOW) end -- of what follows there is no message
  return true
end

-- Reads the numbers of the branches that are open, in order, and those that wait for a place.
local function open_branches(stage)
  local many, waits, list, fields = tonumber(get(stage .. '.many')), {}, {}, {}
  for number in (get(stage .. '.queue') or ''):gmatch('%d+') do waits[number] = true end
  for number = 1, many do
    local text = ('%d'):format(number)
    if not waits[text] then
      list[#list + 1] = text
      fields[#fields + 1] = stage .. '.' .. text
    end
  end
  read(fields)
  return list
end

-- The child that is waited for in the branch that is open, or nil.
local function waiting_child()
  for code, value in pairs(state) do
    if value == 'waiting' and code:sub(-1) == 'k' then return code end
  end
end

-- Looks at each branch of a stage that is open; where places are free, others get them.
local function look_at_branches(stage, longest, only_look, again, lost)
  local found, bound, taken = {}, bound_of(stage), 0
  if saga.direction == 'backward' and select(3, plan_of(stage)):find('o', 1, true) then bound = 1 end
  local function look_at(number)
    if not get(stage .. '.' .. number) then return end
    enter_branch(stage, number)
    local first, list = remaining(1)[1], chain_ahead()
    if settling then first = waiting_child() end
    if is_wait(first) then
      taken = taken + 1
      found[#found + 1] = look_at_wait(first, only_look)
    elseif running or first then
      taken = taken + 1
      local mark, all = branch.field .. '@' .. ('%d'):format(branch.sent), ',' .. lost .. ','
      local may_publish = branch.dispatches == 0 or all:find(',' .. mark .. ',', 1, true) or all:find(',' .. branch.field .. ',', 1, true)
      found[#found + 1] = look(list, longest, only_look, again, may_publish)
    end
    leave_branch()
  end
  for _, number in ipairs(open_branches(stage)) do look_at(number) end
  while bound > 0 and taken < bound do
    local number = take_from_queue(stage)
    if not number then break end
    enter_branch(stage, number)
    branch.sent, branch.dispatches, has_moved = 0, 0, true
    leave_branch()
    look_at(number)
  end
  if only_look then set_due(due or NOW + LEASE) end
  return found
end

-- Ends the waits of a stage whose time has come. Answers whether the stage is still at hand.
local function end_waits_in_time(stage)
  if not plan:find('\n#' .. stage .. '%.%d*|[^\n]*w') then return true end
  for _, number in ipairs(open_branches(stage)) do
    if get(stage .. '.' .. number) then
      enter_branch(stage, number)
      local was_over = end_in_time(remaining(1)[1])
      leave_branch()
      if was_over and (saga.direction == 'backward' or state[stage] ~= 'running') then return false end
    end
  end
  return true
end

local function dispatch(known, longest, only_look, again, lost)
  local is_late = not is_over() and saga.direction == 'forward' and saga.deadline and saga.deadline <= NOW
  if is_late and passed_pivot() then
    add_event('saga.overdue')
    set('deadline', '')
    saga.deadline = false
    set_due(NOW + LEASE)
  elseif is_late then
    local waited = state[remaining(1)[1] or ''] == 'waiting'
    turn_back('timed_out', '{"type":"TimeoutError","message":"the saga did not end in its time"}', 'timed_out')
    settle()
    if waited and not is_over() and remaining(1)[1] then note_unsent(NOW) end -- of what follows there is no message
  end
  local function say(found)
    table.insert(found, 2, saga.definition)
    table.insert(found, 3, itinerary_for(known))
    table.insert(found, 4, saga.trace or '')
    return found
  end
  if saga.parked and only_look and not saga.paused then
    local looks = add('parked', 1)
    set_due(NOW + math.min(LOST_AFTER * 2 ^ math.min(looks, 10), LOST_AFTER_AT_MOST))
    return say({'parked', path_of(parked_record()), get('app') or ''})
  end
  if has_ended() and is_awaited_by_parent() then return say({'ended', get('parent'), get('app') or ''}) end
  if is_over() or saga.paused then
    set_due(NOW)
    return {'nothing', 'the saga is ' .. (saga.paused and 'paused' or saga.status)}
  end
  if running then return say(look_at_claim(again)) end
  if is_early() then return {'nothing', 'it begins later'} end

  local first = remaining(1)[1]
  while is_wait(first) or is_stage(first) and state[first] ~= 'running' do
    local stage = first:match('^p%d+')
    if stage and only_look then
      set_due(NOW + LOOK)
      return say({'waiting', plan:match('\n([^|\n]+)|%w+:[^\n]*:' .. stage .. '%.'), 1, NOW, 0, 0, 0, get('app') or '', ''})
    end
    if not stage then
      if not end_in_time(first) then
        local found = look_at_wait(first, only_look)
        return found and say(found) or {'nothing', 'it waits'}
      end
    elseif first ~= stage then
      open_undo(stage)
    else
      local many, sources = plan_of(stage)
      if sources ~= '' then return say(expansion('expand', stage, sources)) end
      open_stage(stage, tonumber(many))
    end
    if stage and state[first] ~= 'running' then settle() end
    if is_over() then return {'nothing', 'the saga is ' .. saga.status} end
    first = remaining(1)[1]
  end
  local stage = settling or is_stage(first) and first:match('^p%d+')
  if stage and saga.direction == 'forward' and not end_waits_in_time(stage) then
    return dispatch(known, longest, only_look, again, lost)
  end
  if stage then
    local found = look_at_branches(stage, longest, only_look, again, lost)
    if not found[1] then return {'nothing', 'its branches are under way'} end
    return say({'stage', unpack(found)})
  end
  read({first .. '.w', 'sent', 'dispatches', 'advance', 'app'})
  local found, why = look(chain_ahead(), longest, only_look, again, true)
  return found and say(found) or {'nothing', why}
end
