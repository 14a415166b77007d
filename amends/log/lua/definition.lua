-- The itinerary of a saga's definition.
--
--! include saga
-- The itinerary as JSON, or '' for a caller whose known digests have it.
local function itinerary_for(known)
  if (',' .. known .. ','):find(',' .. saga.definition .. ',', 1, true) then return '' end
  return redis.call('HGET', DEFINITIONS, saga.definition)
end
