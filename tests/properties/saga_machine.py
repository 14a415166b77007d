"""Sagas in the log under everything that may happen to them."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import redis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from amends.definition.states import SagaStatus
from amends.log.in_flight import Branches, Running, Waiting
from amends.log.saga_log import SagaLog
from tests.properties.checked_saga import CheckedSaga, Report
from tests.properties.claim_table_model import LONGEST
from tests.properties.outside_world import Message
from tests.properties.saga_shapes import SHAPES, SagaShape
from tests.properties.verdict import check_end
from tests.properties.workers import Workers, claim_under

ANY = 10.0**9

# Which of a list is meant, counted from its newest: mostly that one.
AGE = st.one_of(st.just(0), st.integers(0, 20))
ANSWER = st.sampled_from(["done", "unknown", "not done", "refused", "deferred"])
ORDINARY = st.sampled_from(
    [("done", False)] * 5 + [("unknown", False), ("unknown", True), ("not done", True)]
)
RECORD = st.sampled_from(
    [
        *("s1", "s1:undo", "s2", "s2:fallback", "s3", "s4:undo", "s9"),
        *("s1[1]", "s2[2]", "s2[1]:undo", "s3[2]:fallback", "s3[9]"),
    ]
)
SELDOM = st.integers(0, 5).map(lambda n: n == 0)
MEANWHILE = st.sampled_from(["", "", "", "sweep", "pause_saga", "resume_saga", "cancel_saga"])
WAIT = st.sampled_from([0.0, 0.0, 100.0, 1000.0])
COST = st.sampled_from(["attempt", "death", "worker_death"])
# So many things happen to a saga that is over; then another one starts.
POSTSCRIPT = 3


def happens(needs: str = "", **strategies: Any) -> Callable[[Callable[..., None]], Any]:
    """Declare a rule for a saga that is there, where what it `needs` is."""

    def declare(function: Callable[..., None]) -> Any:
        may = precondition(lambda self: self.postscript < POSTSCRIPT and self.has(needs))
        return may(rule(**strategies)(function))

    return declare


class SagaMachine(RuleBasedStateMachine):
    """One saga after another, and all that may happen to each."""

    def __init__(self, log: SagaLog, client: redis.Redis) -> None:
        super().__init__()
        self.log = log
        self.client = client
        self.saga: CheckedSaga | None = None
        self.miscounted = self._miscounted()

    @initialize(shape=SHAPES)
    def start(self, shape: SagaShape) -> None:
        self.postscript = 0
        self.saga = CheckedSaga(self.log, self.client, shape)
        self.world = self.saga.world
        self.workers = Workers(self.saga)
        self.findings: list[tuple[str, str]] = []  # what sweeps saw running: path, token

    @precondition(lambda self: self.postscript >= POSTSCRIPT and self.saga.model.over)
    @rule(shape=SHAPES)
    def start_another(self, shape: SagaShape) -> None:
        self._judge()
        self.start(shape)

    def has(self, needs: str) -> bool:
        """Tell whether there is what a rule needs."""
        things = {
            "": True,
            "messages": self.workers.messages,
            "attempts": self.world.attempts,
            "findings": self.findings,
            "taken": self.workers.taken,
            "timed": self.saga.shape.timed,
            "children": any(step.child for _, step in self.saga.shape.named_steps),
            "waits": any(step.wait is not None for step in self.saga.shape.steps),
        }
        return bool(things[needs])

    # Messages come, one or many times, in any order, or never

    @happens("messages", age=AGE, skipped=st.sampled_from([0, 0, 0, 1, 2]))
    def deliver(self, age: int, skipped: int) -> None:
        """One may come before its turn, too."""
        message = _nth(self.workers.messages, age)
        for _ in range(skipped):
            message = message.next() or message
        self.workers.deliver(message)

    @happens("messages", age=AGE)
    def deliver_and_lose_the_answer(self, age: int) -> None:
        """Let a claim land whose answer is lost: the message is put off, with its token."""
        message = _nth(self.workers.messages, age)
        claim = self.workers.claim_of(message)
        self.saga.claim(message.path, claim, brought=message.brought)
        brought = ",".join(each for each in (message.brought, claim.token) if each)
        self.workers.messages.append(replace(message, brought=brought))

    @happens("attempts", age=AGE)
    def repeat_a_claim(self, age: int) -> None:
        attempt = _nth(self.world.attempts, age)
        message = attempt.message
        claim = claim_under(attempt.token, message)
        self.saga.claim(message.path, claim, brought=message.brought)

    # Attempts take effect at once, late or never, and report the truth, late, twice or never

    @happens("attempts", age=AGE)
    def take_effect(self, age: int) -> None:
        self.saga.land(_nth(self.world.attempts, age))

    @happens(
        "attempts",
        age=AGE,
        answer=ANSWER,
        final=st.booleans(),
        wait=WAIT,
        killed=st.sampled_from([0, 0, 1]),
        inline=st.booleans(),
    )
    def report(
        self,
        age: int,
        answer: str,
        final: bool,  # noqa: FBT001
        wait: float,
        killed: int,
        inline: bool,  # noqa: FBT001
    ) -> None:
        self.workers.report(
            _nth(self.world.attempts, age),
            answer,
            final=final,
            wait=wait,
            killed=killed,
            inline=inline,
        )

    @happens(lost=st.booleans(), meanwhile=MEANWHILE)
    def succeed_and_go_on_inline(self, lost: bool, meanwhile: str) -> None:  # noqa: FBT001
        """Lose the answer, or not; let something happen; report, perhaps again."""
        attempt = self.workers.begin()
        if attempt and lost:
            self.workers.report(attempt, "done", final=False, wait=0.0, killed=1, inline=True)
        if meanwhile == "sweep":
            self.workers.sweep(final=False, cost="death")
        elif meanwhile:
            self.saga.act(meanwhile)
        if attempt:
            self.workers.report(attempt, "done", final=False, wait=0.0, inline=True)

    @happens(
        record=RECORD,
        how=st.sampled_from(["complete", "retry", "fail"]),
        link=RECORD,
    )
    def report_under_a_wrong_token(self, record: str, how: str, link: str) -> None:
        claim = self.workers.claim_of(Message(path=link))
        report: dict[str, Report] = {
            "complete": ("complete", {"output": "null", "link": link, "claim": claim}),
            "retry": ("retry", {"wait": 0.0, "unknown": True, "cost": "attempt"}),
            "fail": (
                "fail",
                {"unknown": False, "refused": False, "outcome": "failed", "link": ""},
            ),
        }
        assert self.saga.end(record, next(self.workers.tokens), report[how]) == "late"

    @happens(answers=st.lists(ORDINARY, min_size=1, max_size=4), inline=st.booleans())
    def work(self, answers: list[tuple[str, bool]], inline: bool) -> None:  # noqa: FBT001
        """Publish what remains, deliver it, do it: the way of most sagas."""
        for answer, final in answers:
            self.workers.work(answer=answer, final=final, longest_wait=LONGEST, inline=inline)
            self.log_is_sound()

    # Sweeps

    @happens(only=st.booleans())
    def look(self, only: bool) -> None:  # noqa: FBT001
        """Look what stands still, as a sweep does, or publish what remains."""
        found = (
            self.saga.dispatch(longest_wait=LONGEST, only_look=True)
            if only
            else self.workers.advance()
        )
        for each in found.found if isinstance(found, Branches) else [found]:
            if isinstance(each, Running):
                self.findings.append((each.path, each.token))

    @happens("findings", age=AGE)
    def take_over(self, age: int) -> None:
        self.workers.take_over(*_nth(self.findings, age))

    @happens("taken", age=AGE, final=st.booleans(), cost=COST, wait=WAIT)
    def give_up(self, age: int, final: bool, cost: str, wait: float) -> None:  # noqa: FBT001
        self.workers.give_up(*_nth(self.workers.taken, age), final=final, cost=cost, wait=wait)

    @happens(final=st.booleans(), cost=COST)
    def sweep(self, final: bool, cost: str) -> None:  # noqa: FBT001
        """Do all three at once, and publish what remains."""
        self.workers.sweep(final=final, cost=cost)

    # From outside

    @happens(now=SELDOM)
    def someone_cancels(self, now: bool) -> None:  # noqa: FBT001
        if now:
            self.saga.act("cancel_saga")

    @happens(now=SELDOM)
    def someone_retries(self, now: bool) -> None:  # noqa: FBT001
        if now or self.saga.model.status == "stuck":
            self.saga.act("retry_saga")

    @happens(now=SELDOM, resumed=st.booleans())
    def someone_pauses_or_resumes(self, now: bool, resumed: bool) -> None:  # noqa: FBT001
        if now or self.saga.model.paused:
            self.saga.act("resume_saga" if resumed else "pause_saga")

    @happens(now=SELDOM, record=RECORD, next_=st.booleans(), done=st.booleans(), which=AGE)
    def someone_skips(
        self,
        now: bool,  # noqa: FBT001
        record: str,
        next_: bool,  # noqa: FBT001
        done: bool,  # noqa: FBT001
        which: int,
    ) -> None:
        stuck = [p for p, each in self.saga.model.records.items() if each.state == "stuck"]
        first = self.saga.model.firsts(which)
        if stuck and which % 2:
            first = stuck[which % len(stuck) :]
        path = first[0] if first and next_ else record
        if now or self.saga.model.status == "stuck":
            self.saga.skip(path, output='{"by":"hand"}' if done else "")

    @happens(record=RECORD, next_=st.booleans(), elsewhere=st.booleans(), which=AGE)
    def meet_a_worker_without_the_task(
        self,
        record: str,
        next_: bool,  # noqa: FBT001
        elsewhere: bool,  # noqa: FBT001
        which: int,
    ) -> None:
        first = self.saga.model.firsts(which)
        path = first[0] if first and next_ else record
        self.saga.note_unregistered(path, elsewhere=elsewhere)

    @happens()
    def meet_a_worker_that_can_run_what_was_parked(self) -> None:
        self.saga.unpark()

    @happens()
    def let_the_message_be_late(self) -> None:
        self.saga.let_the_message_be_late()

    @happens(age=AGE)
    def find_lost_messages(self, age: int) -> None:
        """Publish again what a look finds to be late, or some of it."""
        found = self.saga.dispatch(longest_wait=LONGEST, only_look=True)
        waiting = found.found if isinstance(found, Branches) else [found]
        lost = {each.path: each.mark for each in waiting if isinstance(each, Waiting) and each.mark}
        if lost:
            self.workers.advance(lost=dict(list(lost.items())[: 1 + age]))

    @happens("waits", which=AGE, key=st.integers(0, 9), by=st.sampled_from(["", "", "ada", "bob"]))
    def signal(self, which: int, key: int, by: str) -> None:
        """Give a signal: early, late, twice, one too many."""
        waits = [name for name, step in self.saga.shape.named_steps if step.wait is not None]
        self.saga.signal(waits[which % len(waits)], f"k{key}", by)

    @happens(
        "children",
        which=AGE,
        status=st.sampled_from(["completed"] * 3 + ["compensated"] * 2 + ["failed", "stuck"]),
        is_earlier=SELDOM,
    )
    def end_child(self, which: int, status: str, is_earlier: bool) -> None:  # noqa: FBT001
        """Tell that a child has ended, as what, perhaps not asked for, or that of an attempt before."""
        found = [name for name, step in self.saga.shape.named_steps if step.child]
        self.saga.end_child(found[which % len(found)], status, is_earlier=is_earlier)

    @happens("children", now=SELDOM)
    def die_before_a_child_is_noted(self, now: bool) -> None:  # noqa: FBT001
        self.saga.dies |= now

    @happens(path=RECORD)
    def give_a_signal_that_nothing_waits_for(self, path: str) -> None:
        if not self.saga.model.is_wait(path):
            self.saga.signal(path, "nothing", "")

    @happens("waits", now=SELDOM)
    def pass_the_waits(self, now: bool) -> None:  # noqa: FBT001
        if now or self.saga.model.message == "none":
            self.saga.pass_the_waits()

    @happens("timed", now=SELDOM)
    def pass_the_deadline(self, now: bool) -> None:  # noqa: FBT001
        if now:
            self.saga.pass_the_deadline()

    # What must always hold

    @invariant()
    def log_is_sound(self) -> None:
        if self.saga is None:
            return
        self.saga.check()
        self.postscript += self.saga.model.over

    def teardown(self) -> None:
        """Bring the saga to its end by fair scheduling, and judge what it left in the world."""
        if self.saga is None or sys.exc_info()[0]:  # it has failed already
            return
        for _ in range(150):
            if self.saga.model.paused:
                self.saga.act("resume_saga")
            if self.saga.model.parked:
                self.saga.act("retry_saga")
            if self.saga.model.over:
                break
            self.workers.work(answer="done", final=False, longest_wait=ANY)
            self.log_is_sound()
        assert self.saga.model.over, f"it does not end: {self.saga.model}"
        self._judge()

    def _judge(self) -> None:
        """Let all come that may come after the end, then look at the world."""
        for attempt in self.world.attempts:
            self.saga.land(attempt)
            if attempt.report:
                self.saga.end(attempt.path, attempt.token, attempt.report)
        if self.saga.shape.timed:
            self.saga.pass_the_deadline()
        for message in self.workers.messages[-3:]:
            self.workers.deliver(message)
        self.workers.advance()
        for act in ("cancel_saga", "retry_saga", "pause_saga", "resume_saga"):
            if self.saga.model.ended or (act == "cancel_saga" and self.saga.model.backward):
                self.saga.act(act)
        self.log_is_sound()
        check_end(self.saga.shape, self.saga.before, self.world)
        assert self._miscounted() == self.miscounted

    def _miscounted(self) -> dict[str, int]:
        """Compare what is counted with what there is; other tests of this Redis may leave a difference."""
        counted = dict.fromkeys(SagaStatus, 0)
        for (kind, *words), value in self.log.read_counters().items():
            if kind == "sagas":
                counted[SagaStatus(words[-1])] += value
        for status in SagaStatus:
            for index in self.client.scan_iter(f"*:index:{status}"):
                counted[status] -= self.client.zcard(index)
        return counted


def _nth(items: list[Any], age: int) -> Any:
    return items[-1 - age % len(items)]
