-- Note that a saga's parent was told of its end.
--
--! include open_saga
-- ARGV[2] the status that the parent was told of: it may have turned the saga since
-- Answers {}
if not open_saga() or saga.status ~= ARGV[2] then return {} end
redis.call('HDEL', SAGA, 'awaited')
redis.call('ZREM', DUE, ID)
return {}
