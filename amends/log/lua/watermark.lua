-- How far a queue has been consumed: the newest publish time among its messages that were claimed. A queue hands
-- messages out in order: one that was published to it before, and is in no worker's hands, is in the queue no more.
--
--! include open_saga
--! include claimed_message
local WATERMARK_KEPT = 86400000

-- Raises the watermark of a queue of the saga's app to a time in ms. Queues from which nothing was claimed for long
-- are forgotten.
local function raise_watermark(queue, at)
  local app = get('app') or ''
  redis.call('ZADD', WATERMARKS, 'GT', at, app == '' and queue or queue .. '@' .. app)
  redis.call('ZREMRANGEBYSCORE', WATERMARKS, '-inf', NOW - WATERMARK_KEPT)
end

-- When the message of a claim was published, or nil where nobody knows: its record has waited since for an attempt,
-- or other messages were numbered since for what remains.
local function published_at(owner, tries) return tries == 0 and due_at(owner) or nil end
