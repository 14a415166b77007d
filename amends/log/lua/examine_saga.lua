-- Read one saga at one moment: its fields, its history, what remains of it, and what a cancel would
-- leave to be undone. Writes nothing.
--
--! include open_saga
--! include definition
--! include paths
--! include remaining
-- ARGV[2] digests the caller knows, joined by ,
-- Answers {"unknown"}: there is no such saga | {"saga", digest, itinerary or '', the time, when a sweep looks
--   at it or '', paths of what remains, paths of what a cancel would leave to be undone (both in their order,
--   joined by ,), {field, value, ...}, {event, event, ...}}
local function paths(records)
  local list = {}
  for k, code in ipairs(records) do list[k] = path_of(code) end
  return table.concat(list, ',')
end

-- What would remain after a cancel, once what runs has ended, should it have taken effect.
local function left_by_a_cancel()
  saga.direction = 'backward'
  for code, value in pairs(state) do
    if not is_undo(code) and value == 'running' then
      state[code] = 'unknown'
    elseif not is_undo(code) and value == 'pending' then
      state[code] = get(code .. '.r') and (get(code .. '.u') and 'unknown' or 'failed') or nil
    end
  end
  return remaining()
end

if not open_saga() then return {'unknown'} end
local ahead, behind = has_ended() and {} or remaining(), {}
local can_turn = not has_ended() and saga.direction == 'forward'
if can_turn then behind = left_by_a_cancel() end
return {'saga', saga.definition, itinerary_for(ARGV[2]), NOW, redis.call('ZSCORE', DUE, ID) or '', paths(ahead), paths(behind),
  redis.call('HGETALL', SAGA), redis.call('LRANGE', HISTORY, 0, -1)}
