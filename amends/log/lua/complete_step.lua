-- Record that a claimed record took effect, or that an undo took it back; and claim what comes next.
--
--! include claim
-- ARGV[2] record's path   ARGV[3] token   ARGV[4] output, JSON
-- ARGV[5] path of the chain's next link, or ''
-- ARGV[6] token of a claim of that link, or '' where its task is to claim it   ARGV[7] owner
-- ARGV[8] the link's retries   ARGV[9] digests the caller knows, joined by ,
-- ARGV[10] ms from the attempt's limit to when it is given up
-- ARGV[11] message of that link, or '' where it is not to be delivered here   ARGV[12] its queue
-- ARGV[13] the broker's database   ARGV[14] the log's
-- Answers {"go"}: the chain goes on | {"delivered"}: so it does, by that message | {"advance", message's number}: something else remains
--       | {"end", status} | {"late"}: the claim was lost, nothing is recorded
--       | {"run", ...} as `claim` says: the link is claimed
local path, token, output, link = ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local function go_on(is_repeated)
  local following = ARGV[6] ~= '' and record_of(link)
  -- This is a repeated one, and what the first one claimed goes on, whatever came since.
  if following and holds(following, ARGV[6]) then return run(following, ARGV[9]) end
  local follows = continuation(link)
  if follows[1] ~= 'go' then return follows end
  if ARGV[6] == '' then
    local delivered = ARGV[11] ~= '' and is_repeated or deliver(ARGV[11], ARGV[12], ARGV[13], ARGV[14])
    return delivered and {'delivered'} or follows
  end
  local claimed = claim_record({path = link, token = ARGV[6], owner = ARGV[7], retries = tonumber(ARGV[8]),
    brought = '', known = ARGV[9], grace = tonumber(ARGV[10])})
  return claimed[1] == 'run' and claimed or follows
end

local code = open_saga() and record_of(path)
if not code then return {'late'} end
if state[code] == 'done' and get(code .. '.t') == token then return go_on(true) end
if not holds(code, token) then return too_late(path, '"result":"done"') end

set_state(code, 'done')
end_claim(path, true)
if is_undo(code) then
  add_event('step.compensated', path)
else
  set(code .. '.x', output)
  add_event('step.completed', path)
end
settle()
return go_on(false)
