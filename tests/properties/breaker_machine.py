"""A circuit breaker under callers that come, succeed, fail, die and report late, and under people."""

from collections.abc import Callable
from typing import Any, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from amends.breaker.options import Options
from amends.breaker.results import Admitted, Failure, Rejected
from amends.breaker.states import CircuitState
from tests.properties.breaker_model import MICROSECONDS, BreakerModel, Rules

SECONDS = st.sampled_from([0.001, 1.0, 20.0, 29.999, 30.0, 30.001, 60.0, 100.0, 300.0])
AGE = st.one_of(st.just(0), st.integers(0, 20))
OUTCOME = st.sampled_from(["succeed", "fail", "release"])
OPTIONS = st.builds(
    lambda **options: Options(
        failure_on=(OSError,),
        success_on=(),
        reset_timeout=30.0,
        max_reset_timeout=100.0,
        reset_jitter=0.0,
        probe_lease=20.0,
        on_backend_error="local",
        **options,
    ),
    failure_threshold=st.integers(1, 3),
    half_open_max_calls=st.integers(1, 3),
    success_threshold=st.integers(1, 3),
    reset_timeout_multiplier=st.sampled_from([1.0, 1.5, 2.0]),
    failure_window=st.sampled_from([None, 30.0, 60.0]),
)


class Plant(Protocol):
    """Where circuits are kept, with a clock that is moved."""

    def build(self, options: Options) -> Any: ...
    def advance(self, seconds: float) -> None: ...
    def look(self, circuit: Any) -> dict[str, Any]: ...


class BreakerMachine(RuleBasedStateMachine):
    """One circuit beside its model. `is_shared` tells that a person can reach it."""

    def __init__(self, plant: Callable[[], Plant], *, is_shared: bool) -> None:
        super().__init__()
        self.plant = plant()
        self.is_shared = is_shared
        self.permits: list[tuple[Admitted, Any, str, int]] = []
        self.tokens = 0

    @initialize(options=OPTIONS)
    def build(self, options: Options) -> None:
        self.circuit = self.plant.build(options)
        self.model = BreakerModel(
            Rules(
                failure_threshold=options.failure_threshold,
                reset_timeout=micros(options.reset_timeout),
                multiplier=options.reset_timeout_multiplier,
                max_reset_timeout=micros(options.max_reset_timeout),
                half_open_max_calls=options.half_open_max_calls,
                success_threshold=options.success_threshold,
                failure_window=options.failure_window and micros(options.failure_window),
            )
        )

    def tick(self) -> None:
        """Let no two things happen at one moment: which of them was first could not be told."""
        self.wait(0.001)

    @rule(seconds=SECONDS)
    def wait(self, seconds: float) -> None:
        self.plant.advance(seconds)
        self.model.now += micros(seconds)

    @rule(seconds=SECONDS, calls=st.integers(1, 4))
    def call_and_fail(self, seconds: float, calls: int) -> None:
        for _ in range(calls):
            self.acquire(lease=20.0, same=False, age=0)
            if self.permits:
                self.fail(age=0, retry_after=None)
        self.wait(seconds)

    @rule(outcomes=st.lists(st.sampled_from(["succeed", "succeed", "fail", "none"]), max_size=4))
    def wait_and_probe(self, outcomes: list[str]) -> None:
        """Go the way of most breakers: its time passes, and callers see how the service is."""
        if self.model.state == "open":
            self.wait(max(0, self.model.until - self.model.now) / MICROSECONDS)
        for outcome in outcomes:
            before = len(self.permits)
            self.acquire(lease=20.0, same=False, age=0)
            if len(self.permits) > before:
                self.report(outcome, age=0)

    @rule(lease=st.sampled_from([20.0, 30.0]), same=st.booleans(), age=AGE)
    def acquire(self, lease: float, same: bool, age: int) -> None:  # noqa: FBT001
        """Ask for a permit, under a new token or, as a message that comes twice does, under an old one."""
        self.tick()
        self.tokens += 1
        token = nth(self.permits, age)[2] if same and self.permits else f"t{self.tokens}"
        answer = self.circuit.acquire_permit(token, lease=lease)
        expected = self.model.acquire(token, micros(lease))
        if expected[0] == "rejected":
            assert isinstance(answer, Rejected), f"{answer}, not {expected}"
            wait = None if answer.retry_after is None else micros(answer.retry_after)
            assert (answer.state, wait) == expected[1:]
            return
        assert isinstance(answer, Admitted), f"{answer}, not {expected}"
        assert bool(answer.epoch) == (expected[1] is not None), "is it recorded?"
        assert answer.token == expected[2]
        if answer.epoch:
            self.permits.append((answer, expected[1], token, self.model.now))

    @rule(outcome=OUTCOME, seconds=st.sampled_from([19.0, 20.0, 21.0]))
    def outlive_the_lease(self, outcome: str, seconds: float) -> None:
        """Report about when the lease of a probe ends, whether somebody took its place or not."""
        before = len(self.permits)
        self.wait_and_probe(["none"])
        self.wait(seconds)
        if len(self.permits) > before:
            self.report(outcome, age=0)

    @rule(outcome=OUTCOME)
    def report_late(self, outcome: str) -> None:
        """Let all that began in an earlier epoch report."""
        for age, (_, epoch, *_) in enumerate(reversed(self.permits[-10:])):
            if epoch != self.model.epoch:
                self.report(outcome, age=age)

    def report(self, outcome: str, *, age: int) -> None:
        if outcome == "fail":
            self.fail(age=age, retry_after=None)
        elif outcome == "succeed":
            self.succeed(age=age)
        elif outcome == "release":
            self.release(age=age)

    @precondition(lambda self: self.permits)
    @rule(age=AGE)
    def succeed(self, age: int) -> None:
        self.tick()
        admitted, epoch, *_ = nth(self.permits, age)
        recorded = self.circuit.record_success(admitted)
        expected = self.model.succeed(epoch, admitted.token)
        assert expected is None or recorded.said == expected

    @precondition(lambda self: self.permits)
    @rule(age=AGE, retry_after=st.sampled_from([None, None, 45.0]))
    def fail(self, age: int, retry_after: float | None) -> None:
        self.tick()
        admitted, epoch, *_ = nth(self.permits, age)
        recorded = self.circuit.record_failure(
            admitted, Failure(why="down", retry_after=retry_after)
        )
        expected = self.model.fail(epoch, admitted.token, retry_after and micros(retry_after))
        assert recorded.said == expected
        if expected == "opened":
            assert micros(recorded.open_for) == self.model.until - self.model.now

    @precondition(lambda self: self.permits)
    @rule(age=AGE)
    def release(self, age: int) -> None:
        self.tick()
        admitted, epoch, *_ = nth(self.permits, age)
        recorded = self.circuit.release_permit(admitted)
        assert recorded.said == self.model.release(epoch, admitted.token)

    @precondition(lambda self: self.permits and self.is_shared)
    @rule(age=AGE)
    def be_killed(self, age: int) -> None:
        self.tick()
        _, _, token, began = nth(self.permits, age)
        recorded = self.circuit.record_failure(
            Admitted(token=token),
            Failure(why="killed"),
            began_ago=(self.model.now - began) / MICROSECONDS,
        )
        assert recorded.said == self.model.kill(token, began)

    @precondition(lambda self: self.is_shared)
    @rule(
        override=st.sampled_from([None, None, CircuitState.FORCED_OPEN, CircuitState.DISABLED]),
        now=st.integers(0, 3).map(lambda n: n == 0),
    )
    def someone_overrules(self, override: CircuitState | None, now: bool) -> None:  # noqa: FBT001
        if now:
            self.tick()
            self.circuit.override_breaker(override, by="ada", why="")
            self.model.overrule(override)

    @precondition(lambda self: self.is_shared)
    @rule(now=st.integers(0, 3).map(lambda n: n == 0))
    def someone_resets(self, now: bool) -> None:  # noqa: FBT001
        if now:
            self.tick()
            self.circuit.reset_breaker(by="ada", why="")
            self.model.reset()

    @invariant()
    def it_is_as_the_table_says(self) -> None:
        if not hasattr(self, "model"):
            return
        model = self.model
        expected = {
            "state": model.state,
            "override": model.override,
            "failures": len(model.failures),
            "opens": model.opens,
            "successes": model.successes,
            "probes": sorted(model.live_probes()),
            "late": model.late,
            "events": model.events,
            "is_healthy": model.is_healthy,
            "left over": [],
        }
        looked = self.plant.look(self.circuit)
        assert looked == {key: expected[key] for key in looked}


def micros(seconds: float) -> int:
    return round(seconds * MICROSECONDS)


def nth(items: list[Any], age: int) -> Any:
    """Pick one, counted from the newest."""
    return items[-1 - age % len(items)]
