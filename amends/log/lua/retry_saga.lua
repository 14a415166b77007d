-- Let a saga try again, now: each undo that failed for good, and what comes next. Their budgets of
-- attempts, deaths and unregistered messages begin anew; no counter goes back.
--
--! include control
--! include set_going
--! include continuation
-- Answers {"advance", message's number} | {"end", "paused"}: once it is resumed
--       | {"refused", why} | {"unknown"}: there is no such saga
local function renew(code)
  read({code .. '.a', code .. '.p', code .. '.k'})
  set(code .. '.b', (get(code .. '.a') or 0) .. ',' .. (get(code .. '.p') or 0) .. ',' .. (get(code .. '.k') or 0))
  unset(code .. '.w')
end

-- Whether a retry would do nothing but send one more message: the record waits for no time, and was sent just now.
local function is_under_way(code)
  return saga.status ~= 'stuck' and not get(code .. '.w') and tonumber(get('sent')) + LEASE > NOW
end

if not open_saga() then return {'unknown'} end
if acted() then return continuation('') end
local refused = refusal()
if refused then return refused end
if running then return {'refused', path_of(running.code) .. ' is running'} end
local first = remaining(1)[1]
if first and is_under_way(first) then
  return {'refused', path_of(first) .. ' is under way: its message was sent less than 10 s ago'}
end

note_act('saga.retried')
for code, value in pairs(state) do
  if value == 'stuck' then
    set_state(code, 'pending')
    renew(code)
  end
end
renew(remaining(1)[1])
if saga.status == 'stuck' then set_going() end
note_sent(NOW)
return continuation('')
