-- Say which commands of the scripts the caller's user may not run: each is tried on keys of its own, which are removed at the end.
--
-- KEYS[1] to KEYS[5]: a hash, a list, a sorted set, a text, a stream; none of them is there
-- Answers {{command, error}, ...}; nothing was tried but the first where that was denied
local HASH, LIST, SORTED, TEXT, STREAM = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local denied = {}

local function try(command, ...)
  local answer = redis.pcall(command, ...)
  if type(answer) == 'table' and answer.err then denied[#denied + 1] = {command, answer.err} end
end

try('del', unpack(KEYS))
if denied[1] then return denied end
for _, each in ipairs({
  {'hset', HASH, 'f', 1}, {'hget', HASH, 'f'}, {'hmget', HASH, 'f'}, {'hgetall', HASH}, {'hexists', HASH, 'f'},
  {'hincrby', HASH, 'f', 1}, {'hdel', HASH, 'f'},
  {'lpush', LIST, 'a'}, {'rpush', LIST, 'b'}, {'llen', LIST}, {'lrange', LIST, 0, 0}, {'lset', LIST, 0, 'c'}, {'ltrim', LIST, 0, 0},
  {'zadd', SORTED, 1, 'a'}, {'zcard', SORTED}, {'zscore', SORTED, 'a'}, {'zmscore', SORTED, 'a'}, {'zrange', SORTED, 0, 0},
  {'zrangebyscore', SORTED, 0, 1}, {'zrem', SORTED, 'a'}, {'zremrangebyscore', SORTED, 0, 1},
  {'set', TEXT, 'v'}, {'get', TEXT}, {'expire', TEXT, 60}, {'pexpire', TEXT, 60000}, {'persist', TEXT},
  {'xadd', STREAM, '*', 'f', 'v'}, {'time'},
}) do try(unpack(each)) end
redis.call('DEL', unpack(KEYS))
return denied
