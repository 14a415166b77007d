-- Give a probe's slot back: its call said nothing about the service.
--
--! include breaker
-- ARGV[1] the permit's epoch   ARGV[2] its token
-- Answers {"released"} | {"late"}
local its_epoch, token = ARGV[1], ARGV[2]

if not is_live(its_epoch, token) then return drop_late() end
redis.call('ZREM', PROBES, token)
return {'released'}
