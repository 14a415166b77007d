-- How a record is claimed: the rows of the claim table of the design, in its order. The loader puts it
-- before each script that claims.
--
-- A claim: path, token, owner, retries (the message's), brought (the tokens that the message brings,
-- joined by ,), known (digests the caller knows, joined by ,), grace (ms from the attempt's limit to when
-- it is given up), process (JSON members that the event tells of it, or ''), queue (that its message came in, or nil). It is answered {"stop", reason} | {"done"}
--       | {"run", digest, itinerary or '', attempts, attempts since a person renewed them, tries, deaths of whole workers,
--          ms until the attempt is given up, ms to the saga's deadline or '', output of what it undoes
--          or '', the saga's trace or '', source, JSON, source, JSON, ...}
--
--! shaped
--! include place
--! end
--! include claimed
--! include claimed_message
--! include times
--! include open_saga
--! include definition
--! include plan
--! include remaining
--! include branches
--! shaped
--! include increment
--! end
--! shaped
--! include order
--! end
--! include sources
--! shaped
--! include pivot
--! end
--! include move
--! constant QUEUE_BOUNDS
-- Reads, in one call, what an answer to a claim is made of.
local function read_for(code, is_queued)
  local fields, counts = {}, {code .. '.a', code .. '.r', code .. '.b', code .. '.q'}
  if state[code] then
    fields = counts
  else -- never touched, it has none of them
    for _, field in ipairs(counts) do saga[field] = false end
  end
  local _, sources = plan_of(code)
  for source in sources:gmatch('[^,]+') do fields[#fields + 1] = field_of(source) end
  if is_undo(code) then fields[#fields + 1] = code:sub(1, -2) .. '.x' end
  if is_queued then
    fields[#fields + 1] = 'messages'
    fields[#fields + 1] = 'sent'
  end
  read(fields)
end

-- How long the message of a claim was in its queue, ms, since it was to arrive; nil where nobody knows. It is counted by the queue.
local function queued_for(claim)
  local due_since = claim.queue and due_at(claim.owner)
  if not due_since or due_since == 0 then return nil end
  local queued = math.max(0, NOW - due_since)
  count_time(queued, QUEUE_BOUNDS, 'queued|' .. claim.queue)
  return ('%d'):format(queued)
end

local function run(code, known)
--! shaped
  local has_limit = saga.direction == 'forward' and saga.deadline and not is_verification(code) and not passed_pivot() -- that runs now, or ran
--! plain
  local has_limit = saga.direction == 'forward' and saga.deadline
--! end
  local left = has_limit and saga.deadline - NOW or ''
  local output = is_undo(code) and get(code:sub(1, -2) .. '.x') or ''
  local attempts = get(code .. '.a') or 0
  local renewed_at = (get(code .. '.b') or '0'):match('^%d+')
  local answer = {'run', saga.definition, itinerary_for(known), attempts, attempts - renewed_at, get(code .. '.r') or 0,
    get(code .. '.q') or 0, running.given_up_at - NOW, left, output, saga.trace or ''}
  local _, sources = plan_of(code)
  for source in sources:gmatch('[^,]+') do
    answer[#answer + 1] = source
    answer[#answer + 1] = value_of(source)
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
  local value = state[code]
  if is_undo(code) or value == 'done' or value == 'skipped' or value == 'omitted' then return true end
  local _, _, may_continue = plan_of(code)
  return may_continue == 'c' and not state[code .. 'f']
end

local function own(code, claim)
  local lasts = plan_of(code) + claim.grace
  local attempts = get(code .. '.a')
  running = {code = code, attempt = attempts and attempts + 1 or '1', at = NOW_TEXT,
    given_up_at = ('%d'):format(NOW + lasts), token = claim.token, owner = claim.owner}
  has_moved = true
  set_due(NOW + math.min(LEASE, lasts))
end

-- Claims a record of the open saga.
local function claim_record(claim)
  if is_over() then return {'stop', 'the saga is ' .. saga.status} end
  local code = open_record(claim.path)
  if not code then return {'stop', 'the saga has no such step, or is not at its stage'} end
  if is_wait(code) then return {'stop', 'it waits, and is not called'} end  --! shaped
  read_for(code, claim.queue)

  if running and running.code == code then
    if running.token == claim.token then return run(code, claim.known) end
    if (',' .. claim.brought .. ','):find(',' .. running.token .. ',', 1, true) then
      own(code, claim)
      return run(code, claim.known)
    end
  end
  if running then return {'stop', path_of(running.code) .. ' is running'} end

  if not is_open(code) then
    if lets_go_on(code) and not anything_after_claimed(code) then return {'done'} end
    return {'stop', 'it is finished: ' .. state[code]}
  end
  if saga.paused then return {'stop', 'the saga is paused'} end
  local why = branch and why_branch_waits()  --! shaped
  if why then return {'stop', why} end  --! shaped
  local first = remaining(1)[1]
  if first ~= code then return {'stop', first and path_of(first) .. ' comes first' or 'nothing remains'} end
  if is_verification(code) and tonumber(get(code .. '.y')) > NOW then return {'stop', 'it is asked later'} end  --! shaped
  local tries = tonumber(get(code .. '.r') or 0)
  if claim.retries < tries then return {'stop', 'the message is older than the last attempt'} end

  local queued = queued_for(claim)
--! shaped
  if branch then
    note_order()
    add(branch.stage .. '.runs', 1)
  end
--! end
  set_state(code, 'running')
  own(code, claim)
  if tries > 0 or is_verification(code) then unset(code .. '.w') end  --! shaped
  if tries > 0 then unset(code .. '.w') end  --! plain
  if saga.status == 'pending' then move_to('running') end
  local event = is_undo(code) and 'step.compensating' or 'step.started'
  if is_verification(code) then event = 'step.verifying' end  --! shaped
  add_event(event, claim.path, '"attempt":' .. running.attempt .. (queued and ',"queued":' .. queued or '')
    .. (claim.process ~= '' and ',' .. claim.process or ''))
  return run(code, claim.known)
end
