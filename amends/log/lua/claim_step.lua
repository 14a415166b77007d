-- Claim one record of a saga for one task.
--
--! include claim
-- ARGV[2] record's path   ARGV[3] token   ARGV[4] owner   ARGV[5] the message's retries
-- ARGV[6] the tokens that the message brings, joined by ,   ARGV[7] digests the caller knows, joined by ,
-- ARGV[8] ms from the attempt's limit to when it is given up
-- Answers what `claim` says.
if not open_saga() then return {'stop', 'there is no such saga'} end
return claim_record({path = ARGV[2], token = ARGV[3], owner = ARGV[4], retries = tonumber(ARGV[5]),
  brought = ARGV[6], known = ARGV[7], grace = tonumber(ARGV[8])})
