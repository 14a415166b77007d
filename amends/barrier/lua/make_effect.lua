-- Make the effect of a key once. `effect` is the user's code, which comes before as a function of its KEYS and ARGV.
-- KEYS[1] hash  the key's state and answer     KEYS[2..] those of the effect
-- ARGV[1] milliseconds until the hash is forgotten, from its last change     ARGV[2..] those of the effect
-- Answers {"made", answer} | {"kept", answer} | {"undone"} | {"refused", reason}
local state, answer = unpack(redis.call('HMGET', KEYS[1], 'state', 'answer'))
if state == 'in_force' then return {'kept', answer} end
if state then return {'undone'} end
local function text(value) -- tostring() rounds numbers to 14 digits
  return type(value) == 'number' and string.format('%.17g', value) or tostring(value)
end
local made = effect({unpack(KEYS, 2)}, {unpack(ARGV, 2)})
if type(made) == 'table' then -- a command's error or status, or the user's refusal
  if made.err then return made end
  if made.refused then return {'refused', text(made.refused)} end
  made = made.ok
end
redis.call('HSET', KEYS[1], 'state', 'in_force')
if made then redis.call('HSET', KEYS[1], 'answer', text(made)) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {'made', made and text(made)}
