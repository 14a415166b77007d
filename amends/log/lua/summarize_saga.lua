-- Summarize a saga for people: its status, and the record that it stands at.
--
--! include open_saga
--! include paths
--! include remaining
-- Answers {time, status, since when, its name, direction, paused or not: 1 or '', created, outcome or '',
--          reason or '', error or '', path of the record or '', its state, its attempts (calls that died among them), when it may run again
--          or '', its error or '', how many events its history has}
--       | {}: there is no such saga
local function at_hand()
  if has_ended() then return nil end
  if running then return running.code end
  for _, code in ipairs(saga.status == 'stuck' and path_ahead() or {}) do
    if state[code] == 'stuck' then return code end
  end
  return remaining(1)[1]
end

if not open_saga() then return {} end
read({'outcome', 'reason', 'error', 'folded'})
local since = redis.call('ZSCORE', index_of(saga.status), ID)
local answer = {NOW, saga.status, since or saga.created, saga.name, saga.direction, saga.paused and 1 or '', saga.created,
  saga.outcome or '', saga.reason or '', saga.error or ''}
local code = at_hand()
local own = code and redis.call('HMGET', SAGA, code .. '.a', code .. '.w', code .. '.e', code .. '.p', code .. '.q') or {}
answer[11], answer[12] = code and path_of(code) or '', code and state[code] or 'pending'
answer[13], answer[14], answer[15] = (own[1] or 0) + (own[4] or 0) + (own[5] or 0), answer[12] == 'pending' and own[2] or '', own[3] or ''
answer[16] = redis.call('LLEN', HISTORY) + (saga.folded or 0)
return answer
