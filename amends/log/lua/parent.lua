-- What a saga knows of its parent, whose step it is, and what it owes to children.
--
--! include saga
-- Whether its parent waits for its end, and was not told of it.
local function is_awaited_by_parent() return saga.awaited and (' ' .. saga.awaited):find(' p|', 1, true) ~= nil end
--! shaped
-- Whether children of the stage that the saga turns in may wait, which a dispatch cancels.
local function owes_cancels() return settling and turns_now and plan:find('\n#' .. settling .. '%.%d*|[^\n]*k') ~= nil end
--! end
