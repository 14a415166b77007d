-- How a wait ends: its signals have come, or its time.
--
--! include paths
--! include change
--! include open_saga
--! include remaining
--! shaped
-- Ends a wait whose signals have come, or its time, where it waited for nothing else.
local function end_wait(code)
  unset(code .. '.w')
  set_state(code, 'done')
  add_event(is_undo(code) and 'step.compensated' or 'step.waited', path_of(code))
end
--! end
