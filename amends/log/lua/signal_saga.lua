-- Give a saga a signal, once.
--
--! include branches
--! include signals
--! include settle
--! include act_continuation
-- ARGV[2] path of the wait that it is for   ARGV[3] the signal's id   ARGV[4] its value, JSON
-- ARGV[5] who gives it, or '': of several signals that a wait has each counts once   ARGV[6] members for the event, JSON
-- Answers {"taken", ...}: it ended its wait; what follows is as `continuation_of_act` says
--       | {"counted"}: its wait needs more | {"kept"}: its wait has not begun; and the same again for the same id for that wait
--       | {"refused", why} | {"unknown"}: there is no such saga
local MOST_BYTES = 1048576 -- what a saga's signals hold together; how many they may be is the definition's
local path, id, value, by = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local answers = {t = 'taken', c = 'counted', k = 'kept'}

-- Why the wait does not take it, or nil.
local function objection(code, now)
  if has_ended() then return 'it is ' .. saga.status end
  if saga.direction == 'backward' then return 'it turns back' end
  if not code or code:sub(-1) ~= 'w' or plan_of(code) == '0' then return 'it waits for no ' .. path .. (code and ', which is a step' or '') end
  if now and now ~= 'waiting' and now ~= 'pending' then return path .. ' is over: ' .. now end
  if tonumber(get(code .. '.gn') or 0) >= tonumber((plan_of(code))) then return path .. ' has its signals, and takes no more' end
  if by ~= '' and get(code .. '.by|' .. by) then return by .. ' has given it, and each counts once' end
  if #value + (get('signal_bytes') or 0) > MOST_BYTES then return 'its signals hold 1 MiB together, and it takes no more' end
end

if not open_saga() then return {'unknown'} end
local before = get('g|' .. path .. '|' .. id)
if before == 't' then return {'taken', unpack(continuation_of_act())} end -- who gave it may have died before it went on
if before then return {answers[before]} end
local code = record_of(path)
local has_begun = code and open_record(path)
local why = objection(code, has_begun and state[code])
if why then return {'refused', why} end
set(code .. '.g', (get(code .. '.g') and get(code .. '.g') .. ',' or '') .. value)
add(code .. '.gn', 1)
add('signal_bytes', #value)
if by ~= '' then set(code .. '.by|' .. by, '1') end
add_event('step.signalled', path, ARGV[6] ~= '' and ARGV[6] or nil)
local how = has_begun and state[code] == 'waiting' and 'c' or 'k'
if how == 'c' and take_signals(code) then how = 't' end
set('g|' .. path .. '|' .. id, how)
if how ~= 't' then return {answers[how]} end
settle()
return {'taken', unpack(continuation_of_act())}
