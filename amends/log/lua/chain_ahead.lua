-- What the next chain of messages has.
--
--! include remaining
-- Whether a record of the line is a stage of several branches, or its undo.
local function is_stage(code) return code ~= nil and code:sub(1, 1) == 'p' end

-- What remains, of the line or of the branch that is open, up to the next stage of several branches or the next wait.
local function chain_ahead()
  local list = {}
  for _, code in ipairs(remaining()) do
    if is_stage(code) or is_wait(code) then break end
    list[#list + 1] = code
  end
  return list
end
