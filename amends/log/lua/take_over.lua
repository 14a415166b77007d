-- Take a claim over from its owner, to end the attempt: what that owner says from now on is too late.
--
--! include open_saga
--! include transition
--! include branches
--! include holds
-- ARGV[2] record's path   ARGV[3] new token of the claim   ARGV[4] its token so far
-- Answers {"taken"}, a repeated call too | {"late"}: the claim has ended, or is another one's
local token, from = ARGV[3], ARGV[4]

local code = open_saga() and open_record(ARGV[2])
if not code then return {'late'} end
if holds(code, token) then return {'taken'} end
if not holds(code, from) then return {'late'} end
running.token, has_moved = token, true -- its owner and its time stay as they are
return {'taken'}
