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

if not open_saga() then return {'unknown'} end
if acted() then return continuation('') end
local refused = refusal()
if refused then return refused end
if running then return {'refused', path_of(running.code) .. ' is running'} end

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
