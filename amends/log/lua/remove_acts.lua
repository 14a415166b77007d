-- Remove what is too old from a list of acts, or too much.
--
--! include acts
-- KEYS[1] zset  a list of acts   KEYS[2] hash  how far bulk acts are; there is none in a shard
-- ARGV[1] how many acts the list keeps   ARGV[2] for how long, ms
-- Answers 1
local clock = redis.call('TIME')
local NOW = tonumber(clock[1] .. ('00000' .. clock[2]):sub(-6, -4))
unlist_acts(KEYS[1], NOW, tonumber(ARGV[1]), tonumber(ARGV[2]), KEYS[2])
return 1
