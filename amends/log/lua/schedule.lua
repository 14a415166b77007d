-- One schedule as its scripts read it. The loader puts it before each script that includes it.
--
-- KEYS[1] hash  the schedule   KEYS[2] list  its history, JSON events in order   KEYS[3] zset  names of the shard's schedules
-- KEYS[4] zset  of acts alone: the shard's list of acts, see `list_own_act`
-- ARGV[1] its name
-- Its fields: app, app_name (the identity and the name of the app that defines it) definition (JSON) digest (of that)
-- since (when it was first defined) seen (when a worker last said that it defines it)
-- cursor (what was due until then is settled: fired, skipped or missed)
-- decided (the tick whose saga is being started; only while it is) error (why that could not be started yet)
-- resumed (when, if a tick was decided then: once that is settled, the cursor is there)
-- last (id of the last saga that it started) last_due (the tick of that)
-- paused (when; only while it is) by why (of the pause)   fired late skipped missed failed triggered: how many were
-- Times are milliseconds of Redis TIME.
--
local SCHEDULE, HISTORY, NAMES = KEYS[1], KEYS[2], KEYS[3]
local MOST_EVENTS = 100
local clock = redis.call('TIME')
local NOW_TEXT = clock[1] .. ('00000' .. clock[2]):sub(-6, -4)
local NOW = tonumber(NOW_TEXT)

local function get(field) return redis.call('HGET', SCHEDULE, field) end
local function set(...) redis.call('HSET', SCHEDULE, ...) end

-- Notes what happened: its name, and further JSON members.
local function note(name, members)
  redis.call('RPUSH', HISTORY, '{"at":' .. NOW_TEXT .. ',"name":"' .. name .. '"' .. (members and ',' .. members or '') .. '}')
  redis.call('LTRIM', HISTORY, -MOST_EVENTS, -1)
end
