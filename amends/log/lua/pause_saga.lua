-- Pause a saga: nothing is claimed, and no sweep looks at it. What runs may still finish.
--
--! include control
-- Answers {"end", "paused"} | {"refused", why} | {"unknown"}: there is no such saga
if not open_saga() then return {'unknown'} end
if acted() then return {'end', 'paused'} end
local refused = refusal()
if refused then return refused end
remember_act()
if not saga.paused then
  set('paused', NOW)
  note_act('saga.paused')
  set_due(NOW)
end
return {'end', 'paused'}
