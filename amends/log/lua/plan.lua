-- What a saga's definition says of a record.
--
--! include saga
-- A record's limit in ms, the numbers of the steps its input comes from, joined by , (i is the saga's input, t an item),
-- and its flags; of a verification the ms until the first; of a stage how many branches it has, its sources, its flags, and
-- how many branches may be open at once.
local function plan_of(code)
  if branch then code = code:match('%w+$') end  --! shaped
  local _, last = plan:find('|' .. code .. ':', 1, true)
  return plan:match('^(%d+):([^:]*):(%a*):?(%d*)', last + 1)
end
