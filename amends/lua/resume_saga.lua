-- Let a paused saga go on.
--
--! include acts
-- ARGV[2] token   ARGV[3] who and why, JSON members for the event, or ''
-- Answers {"advance", message's number} | {"end", "stuck"} | {"refused", why}
--       | {"unknown"}: there is no such saga
if not open_saga() then return {'unknown'} end
if has_ended() then return {'refused', 'it is ' .. status} end
if not acted() and paused then
  note_act('saga.resumed')
  redis.call('HDEL', SAGA, 'paused')
  paused = false
  note_sent(NOW)
end
return continuation('')
