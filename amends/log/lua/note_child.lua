-- Note what was done about the child that a record waits for.
--
--! include dispatch
-- ARGV[2] digests the caller knows, joined by ,   ARGV[3] the longest wait for a message, ms   ARGV[4] path of the record
-- ARGV[5] start cancel or turn   ARGV[6] 1 where the caller has more to note, and does not ask what remains
-- Answers what `dispatch` says.
local AGAIN_AFTER = 600000 -- ms

if not open_saga() then return {'nothing', 'there is no such saga'} end
local code = open_record(ARGV[4])
if code and state[code] == 'waiting' then
  set(code .. '.d', ARGV[5])
  set(code .. '.m', NOW + AGAIN_AFTER)
end
leave_branch()
if ARGV[6] == '1' then return {'nothing', 'there is more to note'} end
return dispatch(ARGV[2], tonumber(ARGV[3]), false, 0, '')
