-- Pause a saga: nothing is claimed, and no sweep looks at it. What runs may still finish.
--
--! include control
-- KEYS[14] zset  the shard's paused sagas, scored by when they were paused: hints, see `note_paused`
-- Answers {"end", "paused"} | {"refused", why} | {"unknown"}: there is no such saga
if not open_saga() then return {'unknown'} end
if acted() then return {'end', 'paused'} end
local refused = refusal()
if refused then return refused end
remember_act()
if not saga.paused then
  set('paused', NOW)
  if KEYS[14] then -- without it a worker finds the saga later
    redis.call('ZADD', KEYS[14], NOW_TEXT, ID)
    count('paused|noted') -- of those that `saga.paused` counts, the ones that the set knows of
  end
  note_act('saga.paused')
  set_due(NOW)
end
return {'end', 'paused'}
