-- End a claim unfinished: the record waits for its next attempt.
--
--! include budget
--! include verify
--! include plan
--! include branches
--! include park
--! include turn_back
--! include settle
--! include continuation
--! include end_claim
-- ARGV[2] record's path   ARGV[3] token   ARGV[4] error, JSON   ARGV[5] wait in ms
-- ARGV[6] 1 where nobody knows the effect
-- ARGV[7] what it cost: attempt, death (of its process), worker_death (of all that its worker
-- ran), nothing, or unreadable: this worker cannot read its input
-- ARGV[8] the longest wait for a message, ms; a longer one is left to its due entry
-- ARGV[9] how many unreadable are too many   ARGV[10] the reason to park then   ARGV[11] the same inside of JSON
-- Answers {"retry", tries} | {"late"}: the claim was lost, nothing is recorded
--       | {"advance", message's number} | {"end", status}: the saga has turned or is parked, no attempt follows
local path, token, error, wait = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local unknown, cost = ARGV[6] == '1', ARGV[7]

local code = open_saga() and open_record(path)
if not code then return {'late'} end
local same = get(code .. '.t') == token
if same and state[code] == 'pending' and is_over() then return continuation('') end
if same and state[code] == 'pending' then return {'retry', tonumber(get(code .. '.r'))} end
local has_turned = saga.direction == 'backward' and not is_undo(code)
if is_verified(code) then has_turned = true end  --! shaped
if same and has_turned and not is_open(code) then return continuation('') end
if not holds(code, token) then return too_late(path, '"error":' .. error) end

local too_many = running.owner == '' and 1 or tonumber(ARGV[9]) -- without a worker, no other has other code
if unknown then set(code .. '.u', 1) end
set(code .. '.e', error)
local tries = add(code .. '.r', 1)
if cost == 'death' then add(code .. '.p', 1) end
if cost == 'worker_death' then add(code .. '.q', 1) end
if cost == 'unreadable' then add(code .. '.k', 1) end
end_claim(path, cost == 'attempt')
--! shaped
if unknown and is_verified(code) then
  ask(code, saga.direction == 'backward' and 'fail' or 'retry')
  set(code .. '.w', NOW + wait)
  add_event('step.retrying', path, '"wait":' .. wait .. ',"error":' .. error)
  settle()
  return continuation('')
end
--! end
local is_step = not is_undo(code)
if is_verification(code) then is_step = false end  --! shaped
if saga.direction == 'backward' and is_step then
  set_state(code, state_of_failure(code))
  add_event('step.failed', path, '"state":"' .. state[code] .. '","error":' .. error)
  settle()
  return continuation('')
end
set_state(code, 'pending')
--! shaped
if settling then -- a void of a stage in which the saga has turned
  settle()
  return continuation('')
end
--! end
if cost == 'unreadable' and select(3, used(code)) >= too_many then
  park(ARGV[10], ARGV[11])
  return continuation('')
end
set(code .. '.w', NOW + wait)
add_event('step.retrying', path, '"wait":' .. wait .. ',"error":' .. error)
if wait > tonumber(ARGV[8]) then note_unsent(NOW + wait) else note_sent(NOW + wait) end
return {'retry', tries}
