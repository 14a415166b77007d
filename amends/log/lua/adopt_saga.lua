-- Let a saga be the child of another one, which is told of its end.
--
--! include transition
--! include open_saga
--! include parent
-- ARGV[2] the parent's id and the path of its step, parted by |
-- Answers {status} | {"another", its parent}: it is another one's | {"unknown"}: there is no such saga
if not open_saga() then return {'unknown'} end
local parent = get('parent')
if parent and parent ~= ARGV[2] then return {'another', parent} end
if not parent then
  set('parent', ARGV[2])
  local of, step = ARGV[2]:match('^([^|]*)|(.*)$')
  add_event('saga.adopted', nil, '"parent":"' .. of .. '","step":"' .. step .. '"')
end
if not has_ended() and not is_awaited_by_parent() then
  saga.awaited = (saga.awaited and saga.awaited .. ' ' or '') .. 'p|0|-'
  set('awaited', saga.awaited)
end
return {saga.status}
