-- Claim one record of a saga for one task.
--
--! include claim
--! include watermark
-- ARGV[2] record's path   ARGV[3] token   ARGV[4] owner   ARGV[5] the message's retries
-- ARGV[6] the tokens that the message brings, joined by ,   ARGV[7] digests the caller knows, joined by ,
-- ARGV[8] ms from the attempt's limit to when it is given up
-- ARGV[9] JSON members that tell of the process, or ''
-- ARGV[10] queue of the message, or '' to leave its watermark   ARGV[11] when a copy was published, ms, or ''
-- ARGV[12] queue of the message, without a priority; '' of a claim without a message of its own
-- Answers what `claim` says, or {"unknown"}: there is no such saga; a plain one {"shaped"} of a saga that needs the other.
local owner, queue, copied_at = ARGV[4], ARGV[10], tonumber(ARGV[11])
if not open_saga() then return {'unknown'} end
--! plain
if plan == '' then return {'shaped'} end
--! end
if queue ~= '' and copied_at then raise_watermark(queue, math.min(copied_at, NOW)) end
local answer = claim_record({path = ARGV[2], token = ARGV[3], owner = owner, retries = tonumber(ARGV[5]),
  brought = ARGV[6], known = ARGV[7], grace = tonumber(ARGV[8]), process = ARGV[9],
  queue = ARGV[12] ~= '' and ARGV[12] or nil})
if queue ~= '' and answer[1] == 'run' then
  local at = published_at(owner, tonumber(get(running.code .. '.r') or 0))
  if at then raise_watermark(queue, at) end
end
return answer
