-- Keep an act that no saga's shard can keep: on a circuit, or on many sagas; of the latter also how far it is.
--
--! include list_act
-- KEYS[1] zset  the log's list of acts   KEYS[2] hash  how far bulk acts are, JSON by the act's id
-- ARGV[1] the act's id   ARGV[2] the act, JSON, always the same of one id   ARGV[3] how far it is, JSON members, or '' of one on a circuit
-- ARGV[4] how many acts the list keeps   ARGV[5] for how long, ms
-- Answers 1
local clock = redis.call('TIME')
local NOW_TEXT = clock[1] .. ('00000' .. clock[2]):sub(-6, -4)
list_act(KEYS[1], tonumber(NOW_TEXT), ARGV[1] .. ' ' .. ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5]), KEYS[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[2], ARGV[1], '{"updated":' .. NOW_TEXT .. ',' .. ARGV[3] .. '}') end
return 1
