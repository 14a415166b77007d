-- Read one saga at one moment: its fields, its history, what remains of it, and what a cancel would
-- leave to be undone. Writes nothing.
--
--! include open_saga
--! include definition
--! include expanded
--! constant TIMED
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
local function turn()
  for code, value in pairs(state) do
    if is_stage(code) and value == 'stuck' then
      state[code] = 'done' -- as `turn_back` does
    elseif is_undo(code) or is_verification(code) then -- they go on
    elseif value == 'waiting' then
      state[code] = code:sub(-1) == 'k' and 'unknown' or nil
    elseif value == 'running' then
      state[code] = 'unknown'
    elseif value == 'pending' then
      state[code] = get(code .. '.r') and (get(code .. '.u') and 'unknown' or 'failed') or nil
    end
  end
end

local function left_by_a_cancel()
  saga.direction = 'backward'
  turn()
  return expanded(remaining(), turn)
end

-- What remains, in a saga that settles once nothing runs any more.
local function left()
  if has_ended() then return {} end
  if settling then state[settling], settling = 'unknown', nil end
  return expanded(remaining())
end

if not open_saga() then return {'unknown'} end
local ahead, behind = left(), {}
local looked_at = tonumber(redis.call('ZSCORE', DUE, ID))
local can_turn = not has_ended() and saga.direction == 'forward'
if can_turn then behind = left_by_a_cancel() end
return {'saga', saga.definition, itinerary_for(ARGV[2]), NOW, looked_at and ('%d'):format(looked_at % TIMED) or '', paths(ahead), paths(behind),
  redis.call('HGETALL', SAGA), redis.call('LRANGE', HISTORY, 0, -1)}
