-- What a saga's definition says of a record.
--
--! include saga
-- A record's limit in ms, the numbers of the steps its input comes from, joined by , (i is the saga's input),
-- and c where its failure is passed over.
local function plan_of(code)
  local _, last = plan:find('|' .. code .. ':', 1, true)
  return plan:match('^(%d+):([^:]*):(%a*)', last + 1)
end
