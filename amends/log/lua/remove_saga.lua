-- Remove a saga that ended long ago, with its history and its places in the sets of its shard.
--
--! include saga
-- KEYS[13] hash  ids that the shard remembers, each with <the saga's name>|<c if it completed, else u>|<when it ended, s>|<the
--          first digits of `given`, '' of an earlier release, which tells nothing>|<its outcome, '' where that is its status>
-- KEYS[14] zset  the shard's search index   KEYS[15] list  those ids, in the order in which their sagas were removed
-- ARGV[2] how long it is kept after its end, ms
-- ARGV[3] 1 to remove a child, too   ARGV[4] 1 to remember its id
-- Answers 1 where it, or what was left of it, is gone; of a child its parent's id
local ended = redis.call('HMGET', SAGA, 'status', 'ended', 'name', 'search', 'created', 'asked', 'parent', 'given', 'outcome')
if ended[1] and (not ended[2] or ended[2] + ARGV[2] > NOW) then return 0 end
if ended[7] and ARGV[3] ~= '1' then return ended[7]:match('^[^|]*') end
redis.call('DEL', SAGA, HISTORY) -- first: a Redis that is full then takes the rest
if ended[1] and ARGV[4] == '1' then
  local at, given = ('%d'):format(math.floor(ended[2] / 1000)), (ended[8] or ''):sub(1, 10)
  local outcome = ended[9] ~= ended[1] and ended[9] or ''
  local past = {ended[3], ended[1] == 'completed' and 'c' or 'u', at, given, outcome}
  if redis.call('HSET', KEYS[13], ID, table.concat(past, '|')) == 1 then redis.call('RPUSH', KEYS[15], ID) end
end
if ended[1] then redis.call('HINCRBY', COUNTERS, 'sagas|' .. ended[3] .. '|' .. ended[1], -1) end
redis.call('ZREM', DUE, ID)
for k = 5, 10 do redis.call('ZREM', KEYS[k], ID) end
-- Its entries in the search index, one after the other.
local search, at = ended[4] or '', 1
local bytes, value = search:match('^[%w_]+:%a(%d+):()', at)
while bytes do
  local stop = value + bytes
  redis.call('ZREM', KEYS[14], search:sub(at, stop) .. (ended[6] or ended[5]) .. ':' .. ID)
  at = stop + 1
  bytes, value = search:match('^[%w_]+:%a(%d+):()', at)
end
return 1
