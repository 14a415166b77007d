-- What a saga knows of its parent, whose step it is.
--
--! include saga
-- Whether its parent waits for its end, and was not told of it.
local function is_awaited_by_parent() return saga.awaited and (' ' .. saga.awaited):find(' p|', 1, true) ~= nil end
