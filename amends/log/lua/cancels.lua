-- What a saga that turns back owes to its children.
--
--! include saga
--! shaped
-- Whether children of the stage that the saga turns in may wait, which a dispatch cancels.
local function owes_cancels() return settling and turns_now and plan:find('\n#' .. settling .. '%.%d*|[^\n]*k') ~= nil end
--! end
