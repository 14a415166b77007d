-- Claim one record of a saga for one task. The rows are the claim table of the design, in its order.
--
--! include moves
-- ARGV[2] record's path   ARGV[3] token   ARGV[4] owner   ARGV[5] the message's retries
-- ARGV[6] the tokens that the message brings, joined by ,   ARGV[7] digests the caller knows, joined by ,
-- ARGV[8] ms from the attempt's limit to when it is given up
-- Answers {"stop", reason} | {"done"}
--       | {"run", digest, itinerary or '', attempts, attempts since a person renewed them, tries,
--          ms until the attempt is given up, ms to the saga's deadline or '', output of what it undoes
--          or '', source, JSON, source, JSON, ...}
local path, token, owner, retries, brought, known = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6], ARGV[7]
local grace = tonumber(ARGV[8])

local function output_of(number)
  for _, code in ipairs({number, number .. 'f'}) do
    if state[code] == 'done' or state[code] == 'skipped' then return get(code, 'x') or 'null' end
  end
  return 'null'
end

local function run(code)
  local left = direction == 'forward' and deadline and deadline - NOW or ''
  local output = ''
  if is_undo(code) then output = get(code:sub(1, -2), 'x') or '' end
  local answer = {'run', digest, itinerary_for(known), get(code, 'a') or 0, (used(code)), get(code, 'r') or 0,
    get(code, 'l') - NOW, left, output}
  for source in sources[code]:gmatch('[^,]+') do
    answer[#answer + 1] = source
    answer[#answer + 1] = source == 'i' and redis.call('HGET', SAGA, 'input') or output_of(source)
  end
  return answer
end

local function anything_after_claimed(code)
  local seen = false
  for _, other in ipairs(path_ahead()) do
    if seen and was_claimed(other) then return true end
    seen = seen or other == code
  end
  return not seen -- it does not lie ahead: the saga has turned since
end

local function lets_go_on(code)
  if is_undo(code) or state[code] == 'done' or state[code] == 'skipped' then return true end
  return step_of(code).may_continue and not state[code .. 'f']
end

local function own(code)
  redis.call('HSET', SAGA, code .. '.t', token, code .. '.o', owner,
    code .. '.c', NOW, code .. '.l', NOW + limit[code] + grace)
  set_due(NOW + math.min(LEASE, limit[code] + grace))
end

if not open_saga() then return {'stop', 'there is no such saga'} end
if is_over() then return {'stop', 'the saga is ' .. status} end
local code = record_of(path)
if not code then return {'stop', 'the saga has no such step'} end

local holder = running_record()
if holder == code then
  local current = get(code, 't')
  if current == token then return run(code) end
  if (',' .. brought .. ','):find(',' .. current .. ',', 1, true) then
    if retries >= 0 then
      own(code)
    else -- a sweep, which ends the attempt as it was
      redis.call('HSET', SAGA, code .. '.t', token)
    end
    return run(code)
  end
end
if holder then return {'stop', path_of(holder) .. ' is running'} end

if not is_open(code) then
  if lets_go_on(code) and not anything_after_claimed(code) then return {'done'} end
  return {'stop', 'it is finished: ' .. state[code]}
end
if paused then return {'stop', 'the saga is paused'} end
local first = remaining()[1]
if first ~= code then return {'stop', first and path_of(first) .. ' comes first' or 'nothing remains'} end
if retries < tonumber(get(code, 'r') or 0) then return {'stop', 'the message is older than the last attempt'} end

set_state(code, 'running')
own(code)
if status == 'pending' then move_to('running') end
add_event(is_undo(code) and 'step.compensating' or 'step.started', path, '"attempt":' .. (get(code, 'a') or 0) + 1)
return run(code)
