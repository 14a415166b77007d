-- Say what remains of a saga, for the chain that is to be published. One past its deadline turns.
--
--! include saga
-- ARGV[2] digests the caller knows, joined by ,   ARGV[3] the longest wait for a message, ms
-- Answers {"publish", digest, itinerary or '', first message's number, ms until the first may run,
--          path, tries, path, tries, ...}
--       | {"running", path, token, owner, ms until it is given up, attempts, digest, itinerary or ''}
--       | {"nothing", why}
local known, longest = ARGV[2], tonumber(ARGV[3])

if not open_saga() then return {'nothing', 'there is no such saga'} end
if direction == 'forward' and deadline and deadline <= NOW then
  turn_back('timed_out', '{"type":"TimeoutError","message":"the saga did not end in its time"}')
  settle()
end
if is_over() then return {'nothing', 'the saga is ' .. status} end
local itinerary = ''
if not ((',' .. known .. ','):find(',' .. digest .. ',', 1, true)) then
  itinerary = redis.call('HGET', DEFINITIONS, digest)
end

local holder = running_record()
if holder then
  set_due(math.max(NOW, math.min(NOW + LEASE, tonumber(get(holder, 'l')))))
  return {'running', path_of(holder), get(holder, 't'), get(holder, 'o'),
    get(holder, 'l') - NOW, get(holder, 'a') or 0, digest, itinerary}
end

local list = remaining()
local wait = math.max(0, (get(list[1], 'w') or NOW) - NOW)
if wait > longest then
  set_due(NOW + wait)
  return {'nothing', 'it waits in the log'}
end
local times = redis.call('HINCRBY', SAGA, 'dispatches', 1)
set_due(NOW + wait + math.min(LOST * 2 ^ (times - 1), LOST_MAX))
local answer = {'publish', digest, itinerary, number_messages(#list), wait}
for _, code in ipairs(list) do
  answer[#answer + 1] = path_of(code)
  answer[#answer + 1] = get(code, 'r') or 0
end
return answer
