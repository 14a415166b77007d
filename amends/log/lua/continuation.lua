-- What follows a record that ended.
--
--! include next_message
--! include remaining
--! include paths
-- What a task does next that has finished a record, its chain's next link being the one at `link`.
local function continuation(link)
  if is_over() then return {'end', saga.status} end
  if saga.paused then return {'end', 'paused'} end
  local first = remaining(1)[1]
  if first and first == record_of(link) then return {'go'} end
  set('advance', get('sent'))
  return {'advance', number_messages(1)}
end
