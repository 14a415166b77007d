-- Record that a claimed record failed for good, and what follows: the fallback, the next step, or
-- compensation.
--
--! include branches
--! include verify
--! include failure
--! include settle
--! include continuation
--! include end_claim
-- ARGV[2] record's path   ARGV[3] token   ARGV[4] error, JSON
-- ARGV[5] 1 where nobody knows the effect of this attempt   ARGV[6] 1 where the service refused
-- ARGV[7] the saga's outcome if this ends it   ARGV[8] path of the chain's next link, or ''
-- ARGV[9] what it cost: attempt or nothing
-- Answers {"go"} | {"advance", message's number} | {"end", status}
--       | {"late"}: the claim was lost, nothing is recorded
local path, token, error, outcome, link, cost = ARGV[2], ARGV[3], ARGV[4], ARGV[7], ARGV[8], ARGV[9]
local unknown, refused = ARGV[5] == '1', ARGV[6] == '1'

local code = open_saga() and open_record(path)
if not code then return {'late'} end
if not is_open(code) and get(code .. '.t') == token then return continuation(link) end
if not holds(code, token) then return too_late(path, '"error":' .. error) end

set(code .. '.e', error)
end_claim(path, cost == 'attempt')
add(code .. '.r', 1)
if unknown then set(code .. '.u', 1) end

local is_step = not is_undo(code)
if is_verification(code) then is_step = false end  --! shaped
if not is_step then
  set_state(code, 'stuck')
  add_event('step.stuck', path, '"error":' .. error)
  local may_turn = is_undo(code) and saga.direction == 'forward'
  if passed_pivot() then may_turn = false end  --! shaped
  if may_turn then -- a void: without it the fallback could double the effect
    local primary = code:sub(1, -2)
    turn_back(get(primary .. '.n'), get(primary .. '.e'), 'failed')
  end
--! shaped
elseif unknown and is_verified(code) then
  ask(code, refused and 'refused' or 'fail', outcome)
  add_event('step.failed', path, '"state":"unknown","error":' .. error)
--! end
else
  fail(code, path, error, refused, outcome)
end
settle()
return continuation(link)
