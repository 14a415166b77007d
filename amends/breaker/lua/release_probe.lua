-- Give a probe's slot back: its call said nothing about the service.
--
--! include late
-- ARGV[1] the permit's epoch, or '' of a killed caller   ARGV[2] its token
-- Answers {"released"} | {"late"}
local its_epoch, token = ARGV[1], ARGV[2]

if its_epoch == '' then -- a token that holds a slot is of this epoch
  redis.call('ZREM', PROBES, token)
  return {'released'}
end
if not is_live(its_epoch, token) then return drop_late() end
redis.call('ZREM', PROBES, token)
return {'released'}
