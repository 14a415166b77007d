-- Let a paused saga go on.
--
--! include control
--! include owe_messages
--! include act_continuation
-- Answers what `continuation_of_act` says | {"refused", why} | {"unknown"}: there is no such saga
if not open_saga() then return {'unknown'} end
if acted() then return continuation_of_act() end
local refused = refusal()
if refused then return refused end
remember_act()
if saga.paused then
  note_act('saga.resumed')
  set('paused', '')
  saga.paused = false
  turns_now = true -- a cancel may have come meanwhile  --! shaped
  owe_messages()
  note_sent(NOW)
end
return continuation_of_act()
