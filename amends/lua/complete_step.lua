-- Record that a claimed record took effect, or that an undo took it back.
--
--! include moves
-- ARGV[2] record's path   ARGV[3] token   ARGV[4] output, JSON
-- ARGV[5] path of the chain's next link, or ''
-- Answers {"go"}: the chain goes on | {"advance", message's number}: something else remains
--       | {"end", status} | {"late"}: the claim was lost, nothing is recorded
local path, token, output, link = ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local code = open_saga() and record_of(path)
if not code then return {'late'} end
if state[code] == 'done' and get(code, 't') == token then return continuation(link) end
if not holds(code, token) then return too_late(path, '"result":"done"') end

set_state(code, 'done')
end_claim(code, true)
if is_undo(code) then
  add_event('step.compensated', path)
else
  redis.call('HSET', SAGA, code .. '.x', output)
  add_event('step.completed', path)
end
settle()
return continuation(link)
