-- Note that a saga's parent was told of its end.
--
--! include open_saga
-- Answers {}
if not open_saga() or not has_ended() then return {} end
redis.call('HDEL', SAGA, 'awaited')
redis.call('ZREM', DUE, ID)
return {}
