-- Open a stage whose branches the log cannot tell: it has a condition, or a branch for each item of a list.
--
--! include dispatch
-- ARGV[2] digests the caller knows, joined by ,   ARGV[3] the longest wait for a message, ms
-- ARGV[4] the stage   ARGV[5] how many branches   ARGV[6...] for each item what its records get for their input, JSON; none
-- where all branches are of the definition
-- Answers what `dispatch` says, and nothing more where another caller was first.
local stage, many = ARGV[4], tonumber(ARGV[5])
if not open_saga() then return {'nothing', 'there is no such saga'} end
if is_over() or saga.paused or settling or remaining(1)[1] ~= stage then return {'nothing', 'it is not at that stage'} end
if state[stage] == nil then
  for k = 6, #ARGV do set(stage .. '.i' .. (k - 5), ARGV[k]) end
  open_stage(stage, many)
  if state[stage] ~= 'running' then settle() end
end
return dispatch(ARGV[2], tonumber(ARGV[3]), false, 0, '')
