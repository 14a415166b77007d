-- How a record is claimed: the rows of the claim table of the design, in its order. The loader puts it
-- before each script that claims.
--
-- A claim: path, token, owner, retries (the message's), brought (the tokens that the message brings,
-- joined by ,), known (digests the caller knows, joined by ,), grace (ms from the attempt's limit to when
-- it is given up). It is answered {"stop", reason} | {"done"}
--       | {"run", digest, itinerary or '', attempts, attempts since a person renewed them, tries,
--          ms until the attempt is given up, ms to the saga's deadline or '', output of what it undoes
--          or '', source, JSON, source, JSON, ...}
--
--! include moves
local function output_of(number)
  for _, code in ipairs({number, number .. 'f'}) do
    if state[code] == 'done' or state[code] == 'skipped' then return get(code, 'x') or 'null' end
  end
  return 'null'
end

local function run(code, known)
  local left = direction == 'forward' and deadline and deadline - NOW or ''
  local output = ''
  if is_undo(code) then output = get(code:sub(1, -2), 'x') or '' end
  local spent, _, _, attempts = used(code)
  local tries, given_up_at = unpack(redis.call('HMGET', SAGA, code .. '.r', code .. '.l'))
  local answer = {'run', digest, itinerary_for(known), attempts, spent, tries or 0,
    given_up_at - NOW, left, output}
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

local function own(code, claim)
  redis.call('HSET', SAGA, code .. '.t', claim.token, code .. '.o', claim.owner,
    code .. '.c', NOW, code .. '.l', NOW + limit[code] + claim.grace)
  set_due(NOW + math.min(LEASE, limit[code] + claim.grace))
end

-- Claims a record of the open saga.
local function claim_record(claim)
  if is_over() then return {'stop', 'the saga is ' .. status} end
  local code = record_of(claim.path)
  if not code then return {'stop', 'the saga has no such step'} end

  local holder = running_record()
  if holder == code then
    local current = get(code, 't')
    if current == claim.token then return run(code, claim.known) end
    if (',' .. claim.brought .. ','):find(',' .. current .. ',', 1, true) then
      if claim.retries >= 0 then
        own(code, claim)
      else -- a sweep, which ends the attempt as it was
        redis.call('HSET', SAGA, code .. '.t', claim.token)
      end
      return run(code, claim.known)
    end
  end
  if holder then return {'stop', path_of(holder) .. ' is running'} end

  if not is_open(code) then
    if lets_go_on(code) and not anything_after_claimed(code) then return {'done'} end
    return {'stop', 'it is finished: ' .. state[code]}
  end
  if paused then return {'stop', 'the saga is paused'} end
  local first = remaining(1)[1]
  if first ~= code then return {'stop', first and path_of(first) .. ' comes first' or 'nothing remains'} end
  if claim.retries < tonumber(get(code, 'r') or 0) then return {'stop', 'the message is older than the last attempt'} end

  set_state(code, 'running')
  own(code, claim)
  if status == 'pending' then move_to('running') end
  add_event(is_undo(code) and 'step.compensating' or 'step.started', claim.path, '"attempt":' .. (get(code, 'a') or 0) + 1)
  return run(code, claim.known)
end
