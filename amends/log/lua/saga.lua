-- One saga as the scripts read it. The loader puts it before each script that
-- includes it.
--
-- KEYS[1] hash  the saga                  KEYS[2] list  its history, JSON events in order
-- KEYS[3] zset  due sagas of the shard    KEYS[4] hash  definitions of the shard: <digest> is the
--         itinerary as JSON, for workers; <digest>:records is what scripts read of it, or <digest>:plan if it requires
--         format 2, and <digest>:plan3 for 3: the scripts of releases before would misread it, and find none
-- KEYS[5] to KEYS[10] zset  sagas of the shard by status (see index_of), scored by their last move, with TIMED added
--         while they wait in the log and do nothing else, or are to begin later
-- KEYS[11] hash  what the shard counts: see `transition`
-- KEYS[12] zset  watermarks of queues: see `watermark`
-- KEYS[13] hash  ids that the shard remembers of sagas that were removed: see `remove_saga`; KEYS[14] zset  the shard's search
--         index: see `start_saga`, which gets both as `remove_saga` does; of acts see `control`
-- ARGV[1] the saga's id
--
-- A saga's fields: name definition input given (digest of what the input does not owe to defaults) status direction outcome error reason created ended (when)
-- parked (how often a sweep looked since; only while it is) deadline, or '' paused (when), or ''
-- act (the tokens of a person's last ones, joined by ,) messages (how many were numbered)
-- folded (see `fold`) search (its entries in the search index one after the other, see `start_saga`; only if it has any) app (identity of the one that started it; '', or none of an earlier release)
-- parent (<id>|<path of its step>, of a child) awaited (p|0|- while its parent is to be told of its end; who waits for it: <e for its end, or s for a step>|<until when it is told>|<channel>, parted by blanks)
-- begins (when, if its start was delayed: `created` is that time once it has begun, and asked that of the call)
-- trace (headers of the traces that it belongs to, JSON as its start gave it; only if there are any)
-- dispatches (of the same message) sent (when it was to arrive)
-- advance (the `sent` whose message is that of amends.advance; any other `sent` is a record's own)
--   states   of its records, as 1=done,2=running; one that is not in there was never touched, and is pending
--            pending running done failed unknown skipped omitted stuck, and waiting of a wait
--   claim    of the one record that runs, or '': <record>|<attempt's number>|<when it was claimed>|
--            <when it is given up>|<token>|<owner>
-- Then for each record r, which is a step's number and f for its fallback, u for its undo, v for its verification, and fu and
-- fv for the fallback's; w is a wait, for signals or a time, and k a child:
--   r.t token     of its last claim that ended
--   r.a attempts  spent                 r.r tries    claims that ended unfinished; of a verification, earlier questions too
--   r.u           1 once an attempt ended of which nobody knows the effect
--   r.p deaths    claims whose owner died before the attempt's time was up, alone or while it ran apart
--   r.q           claims that ended with their whole worker, up to when the record runs apart
--   r.k unregistered messages that met a worker which does not know the task, or cannot read the input
--   r.b budget    attempts,deaths,unregistered when a person last renewed it: what counts is what came since
--   r.w           when it may run again, while it waits for that
--   r.y           of a verification: when it may be asked at first
--   r.h           what follows if a verification finds no effect: retry, fail, or refused, by which no fallback follows
--   r.g signals   of a wait, JSON joined by ,   r.gn how many   r.by|<who> 1 of who gave one
--   r.d what was last done about a child: start cancel turn   r.m when it is looked at
--   r.x output    JSON                  r.e error    JSON          r.n outcome if the switch fails
-- g|<wait>|<id> is the answer to the signal of that id: t taken, c counted, k kept; signal_bytes is what signals hold.
-- A stage of several branches is a record p of the line, p and the stage's number, and pu is its undo. In `states` p is
-- not there until the stage is opened, running until each branch is finished, then done; and pu not there, running, then
-- done or stuck. Of each such stage:
--   p.1 p.2 ...   its branches, each once it is opened: <sent>|<dispatches>|<number of its last message>|<states>|<claim>;
--                 once it is finished, dispatches is 0 where it had a place, and sent the branch that got it, itself if it ended the stage, or 0
--   p.many        how many branches it has              p.open   those that are not finished
--   p.runs        those that run                        p.stuck  those that wait for an operator
--   p.queue       those that wait for a place, joined by ,
--   p.order       where their undo is ordered: those that were claimed, in order, each followed by ,
--   p.i1 p.i2 ... what a step for each item gets for its input, JSON
-- The records of such a step have the item before their code, with : between them: 3:5u.
-- Times are milliseconds of Redis TIME. JSON is passed through, never read.
--
local SAGA, HISTORY, DUE, DEFINITIONS, COUNTERS, WATERMARKS = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[11], KEYS[12]
local ID = ARGV[1]
local clock = redis.call('TIME')
-- A number that is written as it is costs as much as a call of Redis: what is written often is a text, or has '%d'.
local NOW_TEXT = clock[1] .. ('00000' .. clock[2]):sub(-6, -4)
local NOW = tonumber(NOW_TEXT)

-- A table, a closure or a local that closures share costs every script; a call of Redis costs as much as several.
local saga = {}  -- those of its fields that were read, or set since; false where it has none
local was        -- its status before
local plan       -- the codes of its records in order, then a line each:
                 -- <path>|<code>:<limit in ms>:<sources of its input>:<flags>, and of one in a branch :<stage>.<branch>
                 -- Flags: c a failure is passed over; n the point of no return. The limit of a wait is how many signals end it,
                 -- 0 where its time does, and its line ends with ;<the saga's outcome if it ends without them>.
                 -- A stage of several branches has <name>|<p>:<branches, 0 for one each item>:<sources>:<flags>:<bound>,
                 -- with o where its undo is ordered, and #<p>.<branch>|<codes> for each branch.
                 -- The last line is #requires|<format>, but for format 1.
-- Of the line; and of a branch while that is open in its place:
local codes = {} -- of all records, in that order
local state = {} -- a record's state, nil while it was never touched
local running    -- the claim of the record that runs: its code, attempt, at, given_up_at, token and owner
local branch     -- the one that is open: its stage, number, field, sent, dispatches and message; nil for the line  --! shaped
local line       -- the codes and states of the line, and whether they moved, while a branch is open  --! shaped
local has_moved = false -- whether a record's state or claim changes, in the line or that branch
local settling   -- the stage that the saga has turned in, while a branch of it still runs  --! shaped
local turns_now  -- whether it turns back now  --! shaped

local function has_ended() return saga.status == 'completed' or saga.status == 'compensated' end
local function is_over() return has_ended() or saga.status == 'stuck' end

local function index_of(status)
  for k, each in ipairs({'pending', 'running', 'compensating', 'completed', 'compensated', 'stuck'}) do
    if each == status then return KEYS[4 + k] end
  end
end
