-- Let a paused saga go on.
--
--! include control
--! include continuation
-- Answers {"advance", message's number} | {"end", "stuck"} | {"refused", why}
--       | {"unknown"}: there is no such saga
if not open_saga() then return {'unknown'} end
if acted() then return continuation('') end
local refused = refusal()
if refused then return refused end
remember_act()
if saga.paused then
  note_act('saga.resumed')
  set('paused', '')
  saga.paused = false
  note_sent(NOW)
end
return continuation('')
