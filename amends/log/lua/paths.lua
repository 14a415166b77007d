-- The paths of a saga's records and their codes, as its plan has them.
--
--! include saga
-- The record that a message's path names: <step>, <step>:fallback, <step>:undo, <step>:fallback:undo; for one item of a
-- step, <step>[<item>] and so on.
--! shaped
local function record_of(path)
  local item
  if path:find('[', 1, true) then
    local name, number, rest = path:match('^([%w_]+)%[([1-9]%d*)%]([%a:]*)$')
    if not name then return nil end
    path, item = name .. rest, number
  end
  if path:find('[^%w_:]') then return nil end -- more than a path: the plan has lines of them
  local _, last = plan:find('\n' .. path .. '|', 1, true)
  local code = last and plan:match('^%w+', last + 1)
  if not item or not code then return code end
  return plan:find('|' .. code .. ':[^\n]*:p%d+%.\n') and item .. ':' .. code or nil -- no other step has items
end

local function path_of(code)
  local item, of_plan = code:match('^(%d+):(%w+)$')
  local stage = code:match('^(p%d+)u$')
  if stage then return plan:match('\n([^|\n]+)|' .. stage .. ':') .. ':undo' end
  local path = plan:match('\n([^|\n]+)|' .. (of_plan or code) .. ':')
  return item and (path:gsub('^[%w_]+', '%0[' .. item .. ']')) or path
end
--! plain
local function record_of(path)
  if path:find('[^%w_:]') then return nil end -- more than a path: the plan has lines of them
  local _, last = plan:find('\n' .. path .. '|', 1, true)
  return last and plan:match('^%w+', last + 1)
end

local function path_of(code) return plan:match('\n([^|\n]+)|' .. code .. ':') end
--! end
