-- Pause a saga: nothing is claimed, and no sweep looks at it. What runs may still finish.
--
--! include acts
-- ARGV[2] token   ARGV[3] who and why, JSON members for the event, or ''
-- Answers {"end", "paused"} | {"refused", why} | {"unknown"}: there is no such saga
if not open_saga() then return {'unknown'} end
if has_ended() then return {'refused', 'it is ' .. status} end
if not acted() and not paused then
  paused = NOW
  redis.call('HSET', SAGA, 'paused', NOW)
  note_act('saga.paused')
  set_due(NOW)
end
return {'end', 'paused'}
