-- What follows the answer to a verification.
--
--! include failure
--! include paths
--! shaped
-- Concludes what was asked for a record: it took effect, with that output, or had none where that is null.
local function conclude(code, output)
  local verified = code:sub(1, -2)
  local path = path_of(verified)
  set_state(code, nil) -- it may be asked again
  add_event('step.verified', path_of(code), '"effect":' .. (output ~= 'null' and 'true' or 'false'))
  unset(verified .. '.u')
  if output ~= 'null' then
    set(verified .. '.x', output)
    set_state(verified, 'done')
    unset(verified .. '.w')
    add_event('step.completed', path)
  elseif get(verified .. '.h') == 'retry' and saga.direction == 'forward' then
    set_state(verified, 'pending')
  else
    fail(verified, path, get(verified .. '.e'), get(verified .. '.h') == 'refused', get(verified .. '.n'))
  end
end
--! end
