-- Who holds a claim.
--
--! include saga
-- Whether this record is running under this token.
local function holds(code, token) return running and running.code == code and running.token == token end
