-- Record that a claimed record took effect, or that an undo took it back; and deliver the message of what comes next.
--
--! include complete
--! include deliver
-- ARGV[2] record's path   ARGV[3] token   ARGV[4] output, JSON; '' where its condition is false
-- ARGV[5] path of the chain's next link, or ''
-- ARGV[6] message of that link, or '' where it is not to be delivered here   ARGV[7] its queue
-- ARGV[8] the broker's database   ARGV[9] the log's
-- Answers {"go"}: the chain goes on | {"delivered"}: so it does, by that message | {"advance", message's number}: something else remains
--       | {"end", status} | {"late"}: the claim was lost, nothing is recorded
local message = ARGV[6]
local late, is_repeated = complete(ARGV[2], ARGV[3], ARGV[4])
if late then return late end
local follows = continuation(ARGV[5])
if follows[1] ~= 'go' then return follows end
local delivered = message ~= '' and is_repeated or deliver(message, ARGV[7], ARGV[8], ARGV[9])
return delivered and {'delivered'} or follows
