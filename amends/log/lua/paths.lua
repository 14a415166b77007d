-- The paths of a saga's records and their codes, as its plan has them.
--
--! include saga
-- The record that a message's path names: <step>, <step>:fallback, <step>:undo, <step>:fallback:undo.
local function record_of(path)
  if path:find('[^%w_:]') then return nil end -- more than a path: the plan has lines of them
  local _, last = plan:find('\n' .. path .. '|', 1, true)
  return last and plan:match('^%w+', last + 1)
end
local function path_of(code) return plan:match('\n([^|\n]+)|' .. code .. ':') end
