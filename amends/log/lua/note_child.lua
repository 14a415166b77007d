-- Note what was done about the child that a record waits for.
--
--! include dispatch
-- ARGV[2] digests the caller knows, joined by ,   ARGV[3] the longest wait for a message, ms   ARGV[4] path of the record
-- ARGV[5] start cancel turn or look
-- Answers what `dispatch` says.
local LOOK_AT_CHILD = 600000 -- ms: its end is told; this is for what nobody thought of

if not open_saga() then return {'nothing', 'there is no such saga'} end
local code = open_record(ARGV[4])
if code and state[code] == 'waiting' then
  if ARGV[5] ~= 'look' then set(code .. '.d', ARGV[5]) end
  set(code .. '.m', NOW + LOOK_AT_CHILD)
end
leave_branch()
return dispatch(ARGV[2], tonumber(ARGV[3]), false, 0, '')
