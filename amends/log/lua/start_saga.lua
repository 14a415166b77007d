-- Start a saga, once.
--
--! include transition
--! include deliver
--! for each saga
-- ARGV[2] input, canonical JSON   ARGV[3] digest of what of it was given, or ''; then the headers of its traces, a JSON object, if any
-- ARGV[4] its first message, or '' where that is not to be delivered here; or when it begins, ms, or +<ms> from now
-- and of all: ARGV[5] saga's name   ARGV[6] digest of its definition   ARGV[7] timeout in ms, or ''
-- ARGV[8] number of the steps in its first message's chain   ARGV[9] itinerary, JSON   ARGV[10] plan
-- The last two are '' where the caller knows that this shard has them.
-- ARGV[11] queue of the first message   ARGV[12] the broker's database   ARGV[13] the log's   ARGV[14] identity of the app
-- and its own again, where KEYS[14] zset is the shard's search index: ARGV[15] and on are its entries there, each '' or as
-- `search_fields` tells. The set has <entry><when the saga was started>:<its id>, all scored 0, so that they are in this order.
-- Answers {"started", first message's number, 0 where a stage of several branches comes first}
--       | {"delivered"}: started, and that message is in its queue
--       | {"delayed"}: started, and a sweep publishes its first message at that time
--       | {"define"}: again, with itinerary and plan
--       | {"exists", status} the same saga | {"conflict", its name} another under this id
--       | {"conflict", its name, status, input, 1 if what was given is alike, or 0}: the same saga only if that input means this one
-- Of a saga that was removed, and whose id is remembered, what was given tells: {"exists", status} | {"conflict", its name}.
local given, trace = ARGV[3]:match('^([^{]*)(.*)$')
local input, name, digest, timeout, messages = ARGV[2], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local itinerary, records = ARGV[9], ARGV[10]

local known = redis.call('HMGET', SAGA, 'name', 'input', 'status', 'given')
if known[1] then
  if known[1] ~= name then return {'conflict', known[1]} end
  if known[2] == input then return {'exists', known[3]} end
  return {'conflict', known[1], known[3], known[2], given ~= '' and known[4] == given and 1 or 0}
end
local past = redis.call('HGET', KEYS[13], ID)
if past then
  local of, how, was_given = past:match('^([^|]*)|(%a)|%d+|(%x*)|')
  if of ~= name or given:sub(1, #was_given) ~= was_given then return {'conflict', of} end
  return {'exists', how == 'c' and 'completed' or 'compensated'}
end
if records ~= '' then
  local format = records:match('\n#requires|(%d+)')
  local field = digest .. (not format and ':records' or format == '2' and ':plan' or ':plan3')
  redis.call('HSET', DEFINITIONS, digest, itinerary, field, records)
elseif redis.call('HEXISTS', DEFINITIONS, digest .. ':records') == 0
  and redis.call('HEXISTS', DEFINITIONS, digest .. ':plan') == 0 and redis.call('HEXISTS', DEFINITIONS, digest .. ':plan3') == 0 then
  return {'define'}
end
saga.name, saga.status, saga.created, saga.direction = name, 'pending', NOW, 'forward'
local sign, begins = ARGV[4]:match('^(%+?)(%d+)$')
begins = begins and begins + (sign == '+' and NOW or 0)
if begins and begins <= NOW then begins = nil end
saga.deadline = timeout ~= '' and (begins or NOW) + timeout
-- What every script reads comes first, for a small hash is searched from its beginning.
changes = {'status', 'pending', 'direction', 'forward', 'deadline', saga.deadline or '', 'definition', digest, 'paused', '',
  'name', name, 'created', NOW_TEXT, 'states', '', 'claim', '', 'sent', NOW_TEXT, 'dispatches', '1', 'messages', messages, 'app', ARGV[14],
  'given', given, 'input', input}
if trace ~= '' then set('trace', trace) end
if KEYS[14] then
  local entries = {}
  for n = 15, #ARGV do
    if ARGV[n] ~= '' then
      entries[#entries + 1] = 0
      entries[#entries + 1] = ARGV[n] .. NOW_TEXT .. ':' .. ID
    end
  end
  if entries[1] then
    set('search', table.concat(ARGV, '', 15))
    redis.call('ZADD', KEYS[14], unpack(entries))
  end
end
add_event('saga.started', nil, begins and '"begins":' .. ('%d'):format(begins) or nil)
if begins then
  set('begins', ('%d'):format(begins))
  set('asked', NOW_TEXT)
  set('sent', '0')
  set('dispatches', '0')
  set('messages', '0')
  set_due(begins + TIMED)
  return {'delayed'}
end
set_due(NOW + LEASE)
return deliver(sign and '' or ARGV[4], ARGV[11], ARGV[12], ARGV[13]) and {'delivered'} or {'started', messages == '0' and 0 or 1}
