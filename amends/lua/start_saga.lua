-- Start a saga, once.
--
--! include moves
-- ARGV[2] saga's name   ARGV[3] digest of its definition   ARGV[4] input, canonical JSON
-- ARGV[5] timeout in ms, or ''   ARGV[6] itinerary, JSON   ARGV[7] plan
-- The last two are '' where the caller knows that this shard has them.
-- Answers {"started", first message's number} | {"define"}: again, with itinerary and plan
--       | {"exists", status} the same saga | {"conflict", its name} another under this id
local name, new_digest, input, timeout, itinerary, plan = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local known = redis.call('HMGET', SAGA, 'name', 'input', 'status')
if known[1] then
  if known[1] == name and known[2] == input then return {'exists', known[3]} end
  return {'conflict', known[1]}
end
if plan ~= '' then
  redis.call('HSET', DEFINITIONS, new_digest, itinerary, new_digest .. ':plan', plan)
elseif redis.call('HEXISTS', DEFINITIONS, new_digest) == 0 then
  return {'define'}
end
saga_name, created, status, direction, digest = name, NOW, 'pending', 'forward', new_digest
redis.call('HSET', SAGA, 'name', name, 'definition', digest, 'input', input,
  'status', status, 'direction', direction, 'created', NOW, 'dispatches', 1, 'sent', NOW)
if timeout ~= '' then
  deadline = NOW + tonumber(timeout)
  redis.call('HSET', SAGA, 'deadline', deadline)
end
add_event('saga.started')
redis.call('ZADD', index_of(status), NOW, ID)
count(1, 'sagas', saga_name, status)
read_plan()
set_due(NOW + LEASE)
return {'started', number_messages(#steps)}
