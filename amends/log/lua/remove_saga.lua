-- Remove a saga that ended long ago, with its history and its places in the sets of its shard.
--
--! include saga
-- ARGV[2] how long it is kept after its end, ms
-- ARGV[3] 1 to remove a child, too
-- Answers 1 where it, or what was left of it, is gone; of a child its parent's id
local ended = redis.call('HMGET', SAGA, 'status', 'ended', 'name', 'search', 'created', 'asked', 'parent')
if ended[1] and (not ended[2] or ended[2] + ARGV[2] > NOW) then return 0 end
if ended[7] and ARGV[3] ~= '1' then return ended[7]:match('^[^|]*') end
redis.call('DEL', SAGA, HISTORY)
if ended[1] then redis.call('HINCRBY', COUNTERS, 'sagas|' .. ended[3] .. '|' .. ended[1], -1) end
redis.call('ZREM', DUE, ID)
for k = 5, 10 do redis.call('ZREM', KEYS[k], ID) end
-- Its entries in the search index, one after the other.
local search, at = ended[4] or '', 1
local bytes, value = search:match('^[%w_]+:%a(%d+):()', at)
while bytes do
  local stop = value + bytes
  redis.call('ZREM', KEYS[13], search:sub(at, stop) .. (ended[6] or ended[5]) .. ':' .. ID)
  at = stop + 1
  bytes, value = search:match('^[%w_]+:%a(%d+):()', at)
end
return 1
