-- Say what remains of a saga, for the chains that are to be published. One past its deadline turns.
--
--! include definition
--! include dispatch
-- ARGV[2] digests the caller knows, joined by ,   ARGV[3] the longest wait for a message, ms
-- ARGV[4] 1 to look first whether a message is under way   ARGV[5] ms until what runs is looked at again
-- ARGV[6] branches to publish though a message of theirs is under way, each <field>, or <field>@<when that was to arrive, ms>
-- for that message alone, joined by ,
-- Answers what `dispatch` says.
if not open_saga() then
  redis.call('ZREM', DUE, ID)
  return {'nothing', 'there is no such saga'}
end
return dispatch(ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1', tonumber(ARGV[5]), ARGV[6] or '')
