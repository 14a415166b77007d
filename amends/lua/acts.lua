-- What the acts of a person share. The loader puts it before each script that includes it.
--
--! include moves
local TOKEN, ACTOR = ARGV[2], ARGV[3]

-- Whether this very act was done: a client repeats it when the answer was lost.
local function acted() return redis.call('HGET', SAGA, 'act') == TOKEN end

local function note_act(event, path)
  redis.call('HSET', SAGA, 'act', TOKEN)
  add_event(event, path, ACTOR ~= '' and ACTOR or nil)
end

-- Leave *stuck*, or *pending* where a step is skipped before any was claimed.
local function set_going() move_to(direction == 'backward' and 'compensating' or 'running') end
