-- Start a saga, once.
--
--! include moves
--! for each saga
-- ARGV[2] input, canonical JSON   and of all: ARGV[3] saga's name   ARGV[4] digest of its definition
-- ARGV[5] timeout in ms, or ''   ARGV[6] number of its steps   ARGV[7] itinerary, JSON   ARGV[8] plan
-- The last two are '' where the caller knows that this shard has them.
-- Answers {"started", first message's number} | {"define"}: again, with itinerary and plan
--       | {"exists", status} the same saga | {"conflict", its name} another under this id
local input, name, new_digest, timeout, messages = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local itinerary, plan = ARGV[7], ARGV[8]

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
local fields = {'name', name, 'definition', digest, 'input', input, 'status', status, 'direction', direction,
  'created', NOW, 'dispatches', 1, 'sent', NOW, 'messages', messages}
if timeout ~= '' then
  deadline = NOW + tonumber(timeout)
  fields[#fields + 1], fields[#fields + 2] = 'deadline', deadline
end
redis.call('HSET', SAGA, unpack(fields))
add_event('saga.started')
redis.call('ZADD', index_of(status), NOW, ID)
count(1, 'sagas|' .. saga_name .. '|' .. status)
set_due(NOW + LEASE)
return {'started', 1}
