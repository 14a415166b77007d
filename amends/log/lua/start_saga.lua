-- Start a saga, once.
--
--! include transition
--! include deliver
--! for each saga
-- ARGV[2] input, canonical JSON   ARGV[3] its first message, or '' where that is not to be delivered here
-- and of all: ARGV[4] saga's name   ARGV[5] digest of its definition   ARGV[6] timeout in ms, or ''
-- ARGV[7] number of its steps   ARGV[8] itinerary, JSON   ARGV[9] plan
-- The last two are '' where the caller knows that this shard has them.
-- ARGV[10] queue of the first message   ARGV[11] the broker's database   ARGV[12] the log's   ARGV[13] identity of the app
-- Answers {"started", first message's number} | {"delivered"}: started, and that message is in its queue
--       | {"define"}: again, with itinerary and plan
--       | {"exists", status} the same saga | {"conflict", its name} another under this id
local input, name, digest, timeout, messages = ARGV[2], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local itinerary, records = ARGV[8], ARGV[9]

local known = redis.call('HMGET', SAGA, 'name', 'input', 'status')
if known[1] then
  if known[1] == name and known[2] == input then return {'exists', known[3]} end
  return {'conflict', known[1]}
end
if records ~= '' then
  redis.call('HSET', DEFINITIONS, digest, itinerary, digest .. ':records', records)
elseif redis.call('HEXISTS', DEFINITIONS, digest .. ':records') == 0 then
  return {'define'}
end
saga.name, saga.status, saga.created, saga.direction = name, 'pending', NOW, 'forward'
saga.deadline = timeout ~= '' and NOW + timeout
-- What every script reads comes first, for a small hash is searched from its beginning.
changes = {'status', 'pending', 'direction', 'forward', 'deadline', saga.deadline or '', 'definition', digest, 'paused', '',
  'name', name, 'created', NOW_TEXT, 'states', '', 'claim', '', 'sent', NOW_TEXT, 'dispatches', '1', 'messages', messages, 'app', ARGV[13],
  'input', input}
add_event('saga.started')
set_due(NOW + LEASE)
return deliver(ARGV[3], ARGV[10], ARGV[11], ARGV[12]) and {'delivered'} or {'started', 1}
