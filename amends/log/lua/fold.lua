-- How a history stays bounded, whatever repeats.
--
--! include saga
-- A history keeps so many events, and so many more for each record of its saga. From then on each event replaces the
-- one before of its name and record, and tells how many it stands for and when the first of them was. The replaced
-- ones are counted in `folded`; fold|<name>|<record> has the place in the list, the count and the time of the first.
local KEPT, KEPT_EACH = 50, 10

--! shaped
-- How many events the history may have; a stage has so many for each record of each branch.
local function most_events()
  local records = #codes
  for _, code in ipairs(codes) do
    local stage = code:match('^p%d+$')
    local many = stage and tonumber(redis.call('HGET', SAGA, stage .. '.many') or 0) or 0
    if many > 0 then
      for number, list in plan:gmatch('\n#' .. stage .. '%.(%d*)|([^\n]*)') do
        local _, commas = list:gsub(',', '')
        records = records + (commas + 1) * (number == '' and many or 1)
      end
    end
  end
  return KEPT + KEPT_EACH * records
end
--! end

-- Folds events that were just written, the history having this length with them.
local function fold(events, length)
  redis.call('LTRIM', HISTORY, 0, length - #events - 1)
  for _, event in ipairs(events) do
    local name, rest = event:match('^{"at":%d+,"name":"([^"]+)"(.*)$')
    local kind = 'fold|' .. name .. '|' .. (rest:match('^,"record":"([^"]+)"') or '')
    local place, count, first = (redis.call('HGET', SAGA, kind) or ''):match('^(%d+)|(%d+)|(%d+)$')
    if place then
      count = ('%d'):format(count + 1)
      redis.call('LSET', HISTORY, place, event:sub(1, -2) .. ',"count":' .. count .. ',"first_at":' .. first .. '}')
      redis.call('HINCRBY', SAGA, 'folded', 1)
    else
      place, count, first = redis.call('RPUSH', HISTORY, event) - 1, 1, NOW_TEXT
    end
    redis.call('HSET', SAGA, kind, place .. '|' .. count .. '|' .. first)
  end
end
