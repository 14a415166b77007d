-- Undo the effect of a key once, or leave a tombstone. `effect` is the user's undo, which comes before as a function of its
-- KEYS, its ARGV and the answer that is kept.
-- KEYS[1] hash  the key's state and answer     KEYS[2..] those of the undo
-- ARGV[1] milliseconds until the hash is forgotten, from its last change     ARGV[2..] those of the undo
-- Answers {"took_effect"} | {"nothing"}
local state, answer = unpack(redis.call('HMGET', KEYS[1], 'state', 'answer'))
if state and state ~= 'in_force' then return {'nothing'} end
local undone = state and effect({unpack(KEYS, 2)}, {unpack(ARGV, 2)}, answer)
if type(undone) == 'table' then
  if undone.err then return undone end
  if undone.refused then return redis.error_reply('ERR an undo cannot be refused: ' .. tostring(undone.refused)) end
end
redis.call('HSET', KEYS[1], 'state', state and 'undone' or 'tombstone')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {state and 'took_effect' or 'nothing'}
