-- Note that a message met a worker which does not know its task: another one may, as during a deploy.
-- While one does, the next message follows soon and this one is not counted. After several that are, each later
-- than the one before, the saga is stuck.
--
--! include message_sent
--! include place
--! include budget
--! include branches
--! include remaining
--! include park
--! include next_message
-- ARGV[2] record's path   ARGV[3] Celery task   ARGV[4] how many are too many
-- ARGV[5] 1 where a live worker knows the task
-- Answers {"parked"} | {"again", ms until the next message} | {"stop", reason}
local path, task, most = ARGV[2], ARGV[3], tonumber(ARGV[4])

if not open_saga() then return {'stop', 'there is no such saga'} end
local code = open_record(path)
if is_over() or running or not code or remaining(1)[1] ~= code or is_wait(code) then return {'stop', 'it is not next'} end
if branch and why_branch_waits() then return {'stop', 'it is not next'} end
if tonumber(select(2, message_sent())) == 0 then return {'stop', 'the next message is not out yet'} end

local wait = LEASE / 2
if ARGV[5] ~= '1' then
  add(code .. '.k', 1)
  local _, _, unregistered = used(code)
  if unregistered >= most then
    park('no worker knows the task ' .. task)
    return {'parked'}
  end
  wait = LEASE * 2 ^ (unregistered - 1)
end
add_event('step.unregistered', path, '"task":"' .. task .. '","wait":' .. wait)
note_unsent(NOW + wait)
return {'again', wait}
