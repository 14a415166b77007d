-- Record that a claimed record took effect, or that an undo took it back; and claim what comes next for the same task.
--
--! include complete
--! include claim
-- ARGV[2] record's path   ARGV[3] token   ARGV[4] output, JSON; '' where its condition is false
-- ARGV[5] path of the chain's next link   ARGV[6] token of its claim   ARGV[7] owner   ARGV[8] the link's retries
-- ARGV[9] digests the caller knows, joined by ,   ARGV[10] ms from the attempt's limit to when it is given up
-- ARGV[11] JSON members that tell of the process, or ''
-- Answers {"run", ...} as `claim` says: the link is claimed | {"go"}: the chain goes on, by the link's message
--       | {"advance", message's number}: something else remains | {"end", status}
--       | {"late"}: the claim was lost, nothing is recorded
local link, token, known = ARGV[5], ARGV[6], ARGV[9]
local late = complete(ARGV[2], ARGV[3], ARGV[4])
if late then return late end
local following = record_of(link)
-- This is a repeated one, and what the first one claimed goes on, whatever came since.
if following and holds(following, token) then return run(following, known) end
local follows = continuation(link)
if follows[1] ~= 'go' then return follows end
local claimed = claim_record({path = link, token = token, owner = ARGV[7], retries = tonumber(ARGV[8]),
  brought = '', known = known, grace = tonumber(ARGV[10]), process = ARGV[11]})
return claimed[1] == 'run' and claimed or follows
