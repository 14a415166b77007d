-- What the acts of a person on a schedule share. The loader puts it before each script that includes it.
--
--! include schedule
--! include list_act
-- The last three of ARGV: the act, <its id> <JSON>   how many acts the shard's list keeps   for how long, ms
local function list_own_act()
  list_act(KEYS[4], NOW, ARGV[#ARGV - 2], tonumber(ARGV[#ARGV - 1]), tonumber(ARGV[#ARGV]))
end
