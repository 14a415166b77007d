-- What the acts of a person share. The loader puts it before each script that includes it.
--
--! include open_saga
--! include transition
--! include list_act
-- KEYS[13] zset  the shard's list of acts, see `acts`
-- ARGV[2] token   ARGV[3] who and why, JSON members for the event, or ''
-- ARGV[4] how many events its history had when that person looked, or the status that it had; '' to act anyhow
-- ARGV[5] the act as JSON members for the list, or '' for what is no act of its own: a part of a bulk act, or the engine's
-- ARGV[6] how many acts the list keeps   ARGV[7] for how long, ms
local TOKEN, ACTOR, SEEN, LISTED = ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local ACTS_KEPT = 8

-- Whether this very act was done: a client repeats it when the answer was lost.
local function acted() return (',' .. (get('act') or '') .. ','):find(',' .. TOKEN .. ',', 1, true) ~= nil end

-- Keeps the act's token, the newest first; an older one may still be repeated after others have acted.
local function remember_act()
  if acted() then return end -- it has several events
  local tokens = {TOKEN}
  for each in (get('act') or ''):gmatch('[^,]+') do
    if #tokens < ACTS_KEPT then tokens[#tokens + 1] = each end
  end
  set('act', table.concat(tokens, ','))
end

-- The answer to an act that comes too late, or nil: the saga has ended, or is not as that person saw it.
local function refusal()
  if has_ended() then return {'refused', 'it is ' .. saga.status} end
  if SEEN == '' or SEEN == saga.status or tonumber(SEEN) == redis.call('LLEN', HISTORY) + (get('folded') or 0) then return end
  return {'refused', 'it has moved on since you looked, and is ' .. saga.status .. ' now'}
end

local function note_act(event, path)
  remember_act()
  if LISTED ~= '' then -- also of several events, which are one entry
    list_act(KEYS[13], NOW, TOKEN .. ' {"name":"' .. saga.name .. '",' .. LISTED .. '}', tonumber(ARGV[6]), tonumber(ARGV[7]))
  end
  add_event(event, path, ACTOR ~= '' and ACTOR or nil)
end
