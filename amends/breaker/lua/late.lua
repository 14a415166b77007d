-- Which results of permits count. The loader puts it before each script that includes it.
--
--! include breaker
-- Whether the result of a permit counts: it is of this epoch, and a probe's lease has not run out.
local function is_live(its_epoch, token)
  if its_epoch ~= epoch or state == 'open' then return false end
  return state == 'closed' or (tonumber(redis.call('ZSCORE', PROBES, token)) or 0) > NOW
end

local function drop_late()
  if epoch ~= '0' then redis.call('HINCRBY', BREAKER, 'late', 1) end -- a healthy breaker has no key
  return {'late'}
end
