-- Say what remains of a saga, for the chain that is to be published. One past its deadline turns.
--
--! include saga
-- ARGV[2] digests the caller knows, joined by ,   ARGV[3] the longest wait for a message, ms
-- ARGV[4] 1 to look first whether a message is under way
-- Answers {"publish", digest, itinerary or '', first message's number, ms until the first may run,
--          path, tries, path, tries, ...}
--       | {"running", digest, itinerary or '', path, token, owner, attempts, deaths,
--          when it was claimed, ms since then, ms until its limit, ms until it is given up}
--       | {"waiting", digest, itinerary or '', path, ms since it was dispatched, times it was}
--       | {"nothing", why}
local known, longest, only_look = ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'

if not open_saga() then
  redis.call('ZREM', DUE, ID)
  return {'nothing', 'there is no such saga'}
end
if not is_over() and direction == 'forward' and deadline and deadline <= NOW then
  turn_back('timed_out', '{"type":"TimeoutError","message":"the saga did not end in its time"}')
  settle()
end
if is_over() then
  redis.call('ZREM', DUE, ID)
  return {'nothing', 'the saga is ' .. status}
end
local itinerary = itinerary_for(known)

local holder = running_record()
if holder then
  set_due(math.max(NOW, math.min(NOW + LEASE, tonumber(get(holder, 'l')))))
  return {'running', digest, itinerary, path_of(holder), get(holder, 't'), get(holder, 'o'),
    get(holder, 'a') or 0, get(holder, 'p') or 0, get(holder, 'c'), NOW - get(holder, 'c'),
    get(holder, 'c') + limit[holder] - NOW, get(holder, 'l') - NOW}
end

local list = remaining()
local wait = math.max(0, (get(list[1], 'w') or NOW) - NOW)
if wait > longest then
  set_due(NOW + wait)
  return {'nothing', 'it waits in the log'}
end
if only_look then
  if wait > 0 then
    set_due(NOW + wait + LEASE)
    return {'nothing', 'it waits for its next attempt'}
  end
  local sent = redis.call('HMGET', SAGA, 'sent', 'dispatches')
  set_due(NOW + LOOK)
  return {'waiting', digest, itinerary, path_of(list[1]), NOW - sent[1], tonumber(sent[2])}
end
redis.call('HINCRBY', SAGA, 'dispatches', 1)
redis.call('HSET', SAGA, 'sent', NOW + wait)
set_due(NOW + wait + LEASE)
local answer = {'publish', digest, itinerary, number_messages(#list), wait}
for _, code in ipairs(list) do
  answer[#answer + 1] = path_of(code)
  answer[#answer + 1] = get(code, 'r') or 0
end
return answer
