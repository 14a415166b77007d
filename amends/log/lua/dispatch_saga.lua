-- Say what remains of a saga, for the chain that is to be published. One past its deadline turns.
--
--! include definition
--! include plan
--! include budget
--! include turn_back
--! include settle
-- ARGV[2] digests the caller knows, joined by ,   ARGV[3] the longest wait for a message, ms
-- ARGV[4] 1 to look first whether a message is under way   ARGV[5] ms until what runs is looked at again
-- Answers {"publish", digest, itinerary or '', first message's number, ms until the first may run,
--          now (ms) where it is a copy of a message that was lost, or '', path, tries, path, tries, ...}
--       | {"running", digest, itinerary or '', path, token, owner, attempts and deaths since a person
--          renewed them, deaths of whole workers, when it was claimed, ms since then, ms until its limit, ms until it is given up,
--          identity of the app that started it or ''}
--       | {"waiting", digest, itinerary or '', path, 1 where its message is overdue, when it was to arrive (ms),
--          how many there were, the number of the first that is not superseded, 1 where it is that of amends.advance,
--          identity of that app or ''}
--       | {"parked", digest, itinerary or '', path of what comes next, identity of that app or ''}
--       | {"nothing", why}
local known, longest, only_look, again = ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1', tonumber(ARGV[5])

-- A message is overdue after 1, 2, 4 ... 10 minutes, and looked at six times sooner, as its queue may be empty.
-- Where it is not, it is looked at again after a quarter of the time that it is under way, within 15 s and 2 minutes;
-- of a shard at most one saga a second, however many wait: a sweep that finds lost ones hastens the others.
--! constant LOST_AFTER
--! constant LOST_AFTER_AT_MOST
--! constant SOONER
local LOOK, LOOK_AT_MOST, LOOK_EACH = 15000, 120000, 1000
local function message_sent()
  local sent, times = tonumber(get('sent')), tonumber(get('dispatches'))
  return sent, times, math.min(LOST_AFTER * 2 ^ math.min(times - 1, 10), LOST_AFTER_AT_MOST)
end

local function look_at_message(itinerary, list)
  local sent, times, patience = message_sent()
  if NOW < sent + patience / SOONER then
    set_due(sent + patience / SOONER)
    return {'nothing', 'its message is under way'}
  end
  local overdue = NOW >= sent + patience
  local calm = math.min(math.floor((NOW - sent) / 4), LOOK_AT_MOST)
  local look = NOW + math.max(LOOK, calm, redis.call('ZCARD', DUE) * LOOK_EACH)
  if times == 0 then look = NOW + LOOK end -- none was sent: whose app it is publishes, and another's may have looked
  set_due(overdue and look or math.min(sent + patience, look))
  return {'waiting', saga.definition, itinerary, path_of(list[1]), overdue and 1 or 0, sent, times,
    get('messages') - #list + 1, get('advance') == get('sent') and 1 or 0, get('app') or ''}
end

if not open_saga() then
  redis.call('ZREM', DUE, ID)
  return {'nothing', 'there is no such saga'}
end
if not is_over() and saga.direction == 'forward' and saga.deadline and saga.deadline <= NOW then
  turn_back('timed_out', '{"type":"TimeoutError","message":"the saga did not end in its time"}')
  settle()
end
if saga.parked and only_look and not saga.paused then
  local looks = add('parked', 1)
  set_due(NOW + math.min(LOST_AFTER * 2 ^ math.min(looks, 10), LOST_AFTER_AT_MOST))
  return {'parked', saga.definition, itinerary_for(known), path_of(remaining(1)[1]), get('app') or ''}
end
if is_over() then
  set_due(NOW)
  return {'nothing', 'the saga is ' .. saga.status}
end
if saga.paused then
  set_due(NOW)
  return {'nothing', 'the saga is paused'}
end
local itinerary = itinerary_for(known)

if running then
  set_due(math.max(NOW, math.min(NOW + again, running.given_up_at + 0)))
  local attempts, deaths = used(running.code)
  return {'running', saga.definition, itinerary, path_of(running.code), running.token, running.owner,
    attempts, deaths, get(running.code .. '.q') or 0, running.at, NOW - running.at,
    running.at + plan_of(running.code) - NOW, running.given_up_at - NOW, get('app') or ''}
end

local list = remaining()
read({list[1] .. '.w', 'sent', 'dispatches', 'advance', 'app'})
local wait = math.max(0, (get(list[1] .. '.w') or NOW) - NOW)
if wait > longest then
  set_due(NOW + wait)
  return {'nothing', 'it waits in the log'}
end
if only_look then
  if wait > 0 then
    set_due(NOW + wait + LEASE)
    return {'nothing', 'it waits for its next attempt'}
  end
  return look_at_message(itinerary, list)
end
local sent, _, patience = message_sent()
if NOW >= sent + patience / SOONER then add('dispatches', 1) end -- the one before is lost
set('sent', NOW + wait)
set_due(NOW + wait + LEASE)
local is_copy = wait == 0 and tonumber(get('dispatches')) > 1
local answer = {'publish', saga.definition, itinerary, number_messages(#list), wait, is_copy and NOW_TEXT or ''}
for _, code in ipairs(list) do
  answer[#answer + 1] = path_of(code)
  answer[#answer + 1] = get(code .. '.r') or 0
end
return answer
