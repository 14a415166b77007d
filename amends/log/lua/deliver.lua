-- How a script delivers a message itself.
--
--! include transition
-- Puts a message into its broker's queue, where this Redis is the broker's too; answers whether it is there.
-- Its key is none of KEYS: a cluster, or a user without the right to it, shall refuse this alone.
local function deliver(message, queue, broker, log)
  if message == '' then return false end
  if broker ~= log and redis.pcall('SELECT', broker).err then return false end
  local length = redis.pcall('LPUSH', queue, message)
  if broker ~= log then redis.call('SELECT', log) end
  return type(length) == 'number'
end
