-- Look how far a saga is, and note that a process waits for it.
--
--! include branches
-- ARGV[2] step's name, or '' for the saga's end   ARGV[3] channel that the process hears, or '' to look only
-- ARGV[4] how long it is told, ms: who waits for longer asks again within half of it
-- Answers {status, 1 if the step lies behind the saga, or 0, 1 if the process is told, or 0} | {}: there is no such saga
local MOST = 32 -- entries of a saga, which each of its transitions reads

-- Whether a step has taken effect, was skipped, or was passed over. Its fallback decides once the switch made that pending.
local function is_behind(code)
  local last = state[code .. 'f'] or state[code]
  if last == 'failed' or last == 'unknown' then return saga.direction == 'forward' end
  return last == 'done' or last == 'skipped' or last == 'omitted'
end

-- Whether that is so of the step of this name: one for each item of a list is behind once all of them are.
local function has_passed(name)
  local code = record_of(name)
  local stage, number = branch_of(code)
  if not stage then return is_behind(code) end
  if is_behind(stage) then return true end
  return number ~= nil and open_record(name) ~= nil and is_behind(code)
end

if not open_saga() then return {} end
local step, channel, lasts = ARGV[2], ARGV[3], tonumber(ARGV[4])
local passed = step ~= '' and has_passed(step)
if is_over() or passed or channel == '' then return {saga.status, passed and 1 or 0, 0} end

local kind, entries, own = step ~= '' and 's' or 'e', {}, 0
for entry, of, ends_at, heard in (saga.awaited or ''):gmatch('((%a)|(%d+)|(%S+))') do
  if of == kind and heard == channel then
    own = tonumber(ends_at)
  elseif of == 'p' or tonumber(ends_at) > NOW then
    entries[#entries + 1] = entry
  end
end
if own > NOW + lasts / 2 then return {saga.status, 0, 1} end
if #entries >= MOST then return {saga.status, 0, 0} end
entries[#entries + 1] = kind .. '|' .. ('%d'):format(NOW + lasts) .. '|' .. channel
redis.call('HSET', SAGA, 'awaited', table.concat(entries, ' '))
return {saga.status, 0, 1}
