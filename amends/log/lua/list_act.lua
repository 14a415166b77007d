-- How an act comes into a list of acts. The loader puts it before each script that includes it.
--
--! include acts
-- Puts an act into a list; one that is there stays as it is, with its time.
local function list_act(list, now, entry, kept, kept_for, progress)
  redis.call('ZADD', list, 'NX', ('%d'):format(now), entry)
  unlist_acts(list, now, kept, kept_for, progress)
end
