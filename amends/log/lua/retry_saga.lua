-- Let a saga try again, now: each undo that failed for good, and what comes next. Their budgets of
-- attempts, deaths and unregistered messages begin anew; no counter goes back.
--
--! include message_sent
--! include early
--! include act_continuation
--! include act_on_branches
-- Answers what `continuation_of_act` says; {"end", "paused"}: once it is resumed
--       | {"refused", why} | {"unknown"}: there is no such saga
local function renew(code)
  read({code .. '.a', code .. '.p', code .. '.k'})
  set(code .. '.b', (get(code .. '.a') or 0) .. ',' .. (get(code .. '.p') or 0) .. ',' .. (get(code .. '.k') or 0))
  unset(code .. '.w')
  if is_verification(code) and tonumber(get(code .. '.y')) > NOW then set(code .. '.w', saga[code .. '.y']) end
end

-- Whether a retry would do nothing but send one more message: the record waits for no time, and was sent just now.
local function is_under_way(code)
  if is_wait(code) then return state[code] == 'waiting' end
  return saga.status ~= 'stuck' and not get(code .. '.w') and message_sent() + LEASE > NOW
end

-- Renews what is stuck of the line, or of the branch that is open. Answers whether anything was.
local function renew_stuck()
  local found = false
  for code, value in pairs(state) do
    if value == 'stuck' and not is_stage(code) then
      set_state(code, 'pending')
      renew(code)
      found = true
    end
  end
  return found
end

-- Retries what is stuck or waits in the branch that is open. Answers whether there was anything.
local function retry_branch()
  local first = remaining(1)[1]
  local is_at_rest = not running and not first
  if renew_stuck() then unstick_branch(is_at_rest) elseif running or not first or is_under_way(first) then return false end
  if running or state[remaining(1)[1]] == 'waiting' then return true end
  renew(remaining(1)[1])
  note_unsent(NOW)
  return true
end

-- Retries what is stuck in stages that came to rest.
local function retry_stages()
  for code, value in pairs(state) do
    if value == 'stuck' and is_stage(code) then
      local stage = code:match('^p%d+')
      count_branches(stage, retry_branch)
      unstick_stage(stage)
    end
  end
end

if not open_saga() then return {'unknown'} end
if acted() then return continuation_of_act() end
local refused = refusal()
if refused then return refused end
if is_early() then return {'refused', 'it begins later, and has nothing to retry'} end
local stage = stage_at_hand()
if stage then
  if count_branches(stage, retry_branch) == 0 then
    return {'refused', 'each of its branches runs, or its message was sent less than 10 s ago'}
  end
else
  if settling then return {'refused', 'something of ' .. path_of(settling) .. ' is running'} end
  if running then return {'refused', path_of(running.code) .. ' is running'} end
  local first = remaining(1)[1]
  if first and state[first] == 'waiting' then return {'refused', path_of(first) .. ' waits' .. (first:find('k', 1, true) and ' for its own saga: retry that' or ', and has nothing to retry')} end
  if first and not is_stage(first) and is_under_way(first) then
    return {'refused', path_of(first) .. ' is under way: its message was sent less than 10 s ago'}
  end
end
note_act('saga.retried')
renew_stuck()
retry_stages()
local next_one = remaining(1)[1]
if next_one and not is_stage(next_one) then renew(next_one) end
if saga.status == 'stuck' then set_going() end
note_sent(NOW)
return continuation_of_act()
