"""The protocol in plain Python, as the design has it: the claim table, three outcomes, two channels.

It was written from the design and not from the Lua, so that where they differ one of them is wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from amends.log.answers import Claim
from tests.properties.saga_shapes import SagaShape, StepShape

FINISHED = frozenset({"done", "failed", "unknown", "stuck", "skipped"})
MAY_HAVE_TAKEN_EFFECT = frozenset({"done", "unknown", "skipped"})
ENDED = frozenset({"completed", "compensated"})
MOST_UNREGISTERED = 3
LONGEST = 300.0
"""Seconds that a message waits at most, as `amends_max_countdown` says by default; a longer wait is left to the log."""


@dataclass(kw_only=True)
class Record:
    """One record; *failed* is the design's "not done"."""

    state: str = "pending"
    token: str = ""
    owner: str = ""
    tries: int = 0
    attempts: int = 0
    deaths: int = 0
    worker_deaths: int = 0
    unregistered: int = 0
    renewed_at: tuple[int, int, int] = (0, 0, 0)
    claimed: bool = False
    nobody_knows: bool = False
    wait: float = 0.0
    retries: bool = False  # from the end of an attempt until it is claimed, or retried by a person

    @property
    def is_open(self) -> bool:
        return self.state not in FINISHED

    @property
    def used(self) -> tuple[int, ...]:
        """Attempts, deaths and unregistered messages since a person last renewed them."""
        now = (self.attempts, self.deaths, self.unregistered)
        return tuple(a - b for a, b in zip(now, self.renewed_at, strict=True))

    def renew(self) -> None:
        self.renewed_at = (self.attempts, self.deaths, self.unregistered)
        self.wait, self.retries = 0.0, False

    def end_claim(self, *, spent: bool, nobody_knows: bool = False) -> None:
        self.attempts += spent
        self.nobody_knows |= nobody_knows
        self.wait, self.retries = 0.0, False

    def end_without_effect(self) -> None:
        """Not done only if every attempt was; one that nobody knows about makes it unknown."""
        self.state = "unknown" if self.nobody_knows else "failed"


@dataclass(kw_only=True)
class Model:
    """One saga. Its methods answer what the log should, without the numbers of messages."""

    shape: SagaShape
    status: str = "pending"
    backward: bool = False
    deadline_passed: bool = False
    paused: bool = False
    parked: bool = False  # and stuck
    message: str = "under way"  # or late, or none
    outcome: str | None = None
    records: dict[str, Record] = field(default_factory=dict)
    switched: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for step in self.shape.steps:
            for path in _channels(step):
                self.records[path] = Record()
                if step.undoable:
                    self.records[f"{path}:undo"] = Record()

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def over(self) -> bool:
        return self.ended or self.status == "stuck"

    @property
    def running(self) -> str | None:
        return next((path for path, each in self.records.items() if each.state == "running"), None)

    def holds(self, path: str, token: str) -> bool:
        record = self.records.get(path)
        return record is not None and (record.state, record.token) == ("running", token)

    # The way of the saga

    def _way(self) -> Iterator[str]:
        """Every record that this direction could come to, in the order in which they run."""
        if not self.backward:
            for step in self.shape.steps:
                yield step.name
                if step.fallback:
                    yield from (f"{step.name}:undo", f"{step.name}:fallback")
        else:
            for step in reversed(self.shape.steps):
                if step.undoable:
                    yield from (f"{path}:undo" for path in reversed(_channels(step)))

    def _remains(self, path: str) -> bool:
        if not self.records[path].is_open:
            return False
        undone = self.records.get(path.removesuffix(":undo")) if path.endswith(":undo") else None
        if self.backward:
            return undone is not None and undone.state in MAY_HAVE_TAKEN_EFFECT
        step = path.partition(":")[0]
        if undone is not None:  # a void belongs to a switch, and to an effect that may be there
            return step in self.switched and undone.state == "unknown"
        return not path.endswith(":fallback") or step in self.switched

    def remaining(self) -> list[str]:
        return [path for path in self._way() if self._remains(path)]

    # The claim table

    def claim(self, path: str, claim: Claim, *, brought: str = "") -> str:
        if self.over or path not in self.records:
            return "stop"
        record, running = self.records[path], self.running
        if running == path and record.token in (claim.token, *brought.split(",")):
            record.token, record.owner = claim.token, claim.owner
            return "run"
        if running:
            return "stop"
        if not record.is_open:
            return "done" if self._is_passed(path) and self._nothing_claimed_after(path) else "stop"
        if self.paused or self.remaining()[:1] != [path] or claim.retries < record.tries:
            return "stop"
        record.state, record.claimed = "running", True
        record.token, record.owner = claim.token, claim.owner
        if self.status == "pending":
            self.status = "running"
        return "run"

    def take_over(self, path: str, token: str, taken_from: str) -> bool:
        is_mine = self.running == path and self.records[path].token in (token, taken_from)
        if is_mine:
            self.records[path].token = token
        return is_mine

    def _is_passed(self, path: str) -> bool:
        step = self._step(path)
        if path.endswith(":undo") or self.records[path].state in ("done", "skipped"):
            return True
        return step.passed_over and (path.endswith(":fallback") or step.name not in self.switched)

    def _nothing_claimed_after(self, path: str) -> bool:
        way = list(self._way())
        if path not in way:  # the saga has turned since
            return False
        return not any(self.records[each].claimed for each in way[way.index(path) + 1 :])

    # How a claim ends

    def complete(self, path: str, token: str, *, link: str, claim: Claim | None) -> str:
        record = self.records.get(path)
        if record is not None and (record.state, record.token) == ("done", token):
            if claim and self.holds(link, claim.token):
                return "run"  # the first answer, whatever came since
            return self._go_on(link, claim)
        if record is None or not self.holds(path, token):
            return "late"
        record.state = "done"
        record.end_claim(spent=True)
        self._settle()
        return self._go_on(link, claim)

    def _go_on(self, link: str, claim: Claim | None) -> str:
        """Claim what follows, if that is the chain's next link and it may run."""
        follows = self._what_follows(link)
        if follows == "go" and claim and self.claim(link, claim) == "run":
            return "run"
        return follows

    def retry(self, path: str, token: str, *, wait: float, unknown: bool, cost: str) -> str:
        record = self.records.get(path)
        if record is not None and record.token == token and record.state != "running":
            if record.state == "pending":
                return "retry"
            if self.backward and not path.endswith(":undo"):
                return self._what_follows("")
        if record is None or not self.holds(path, token):
            return "late"
        record.end_claim(spent=cost == "attempt", nobody_knows=unknown)
        record.tries += 1
        record.deaths += cost == "death"
        record.worker_deaths += cost == "worker_death"
        if self.backward and not path.endswith(":undo"):  # it settles, and is not retried
            record.end_without_effect()
            self._settle()
            return self._what_follows("")
        record.state, record.wait = "pending", wait
        self.message = "under way" if wait <= LONGEST else "none"
        record.retries = True
        return "retry"

    def fail(
        self,
        path: str,
        token: str,
        *,
        unknown: bool,
        refused: bool,
        outcome: str,
        link: str,
        cost: str = "attempt",
    ) -> str:
        record = self.records.get(path)
        if record is not None and record.token == token and not record.is_open:
            return self._what_follows(link)
        if record is None or not self.holds(path, token):
            return "late"
        record.end_claim(spent=cost == "attempt", nobody_knows=unknown)
        record.tries += 1
        step = self._step(path)
        if path.endswith(":undo"):
            record.state = "stuck"
            if not self.backward:  # the void: no fallback then
                self._turn(self.switched[step.name])
        else:
            record.end_without_effect()
            if not self.backward:
                self._after_failure(step, path, refused=refused, outcome=outcome)
        self._settle()
        return self._what_follows(link)

    def _after_failure(self, step: StepShape, path: str, *, refused: bool, outcome: str) -> None:
        if step.fallback and path == step.name and not refused:
            self.switched[step.name] = outcome
        elif not step.passed_over:
            self._turn(outcome)

    # From outside

    def cancel_saga(self) -> str:
        if self.ended or self.backward:
            return "late"
        self._turn("cancelled")
        self._settle()
        return self._what_follows("")

    def retry_saga(self) -> str:
        if self.ended or self.running:
            return "refused"
        next_ = self.records[self.remaining()[0]] if self.status != "stuck" else None
        if next_ and not next_.retries and self.message == "under way":
            return "refused"
        for record in self.records.values():
            if record.state == "stuck":
                record.state = "pending"
                record.renew()
        self.records[self.remaining()[0]].renew()
        if self.status == "stuck":
            self._set_going()
        self.message = "under way"
        return self._what_follows("")

    def skip_step(self, path: str, *, output: str) -> str:
        meant = self._meant(path)
        if self.ended or not meant or any(each.endswith(":undo") for each in meant) == bool(output):
            forward = not self.ended and meant and not output
            return "lacking" if forward and not meant[0].endswith(":undo") else "refused"
        for each in meant:
            self.records[each].state = "skipped"
            self.records[each].claimed = True
        if not self.running:
            self._set_going()
        self._settle()
        return self._what_follows("")

    def _meant(self, path: str) -> list[str]:
        """Find the failed undos of a step, else what comes next of it; or exactly this record."""
        if path not in self.records:
            return []
        name = path if path in [step.name for step in self.shape.steps] else None
        stuck = [
            each
            for each, record in self.records.items()
            if record.state == "stuck" and (each == path or each.partition(":")[0] == name)
        ]
        first = self.remaining()[:1]
        if stuck or not first or self.records[first[0]].state == "running":
            return stuck
        return first if first[0] == path or first[0].partition(":")[0] == name else []

    def pause_saga(self) -> str:
        if self.ended:
            return "refused"
        self.paused = True
        return "end"

    def resume_saga(self) -> str:
        if self.ended:
            return "refused"
        self.message = "under way" if self.paused else self.message
        self.paused = False
        return self._what_follows("")

    def note_unregistered(self, path: str, *, elsewhere: bool) -> str:
        if self.over or self.running or self.remaining()[:1] != [path] or self.message == "none":
            return "stop"
        record = self.records[path]
        record.unregistered += not elsewhere
        if not elsewhere and record.used[2] >= MOST_UNREGISTERED:
            self.status, self.parked = "stuck", True
            return "parked"
        self.message = "none"
        return "again"

    def unpark(self) -> str:
        if self.status != "stuck" or not self.parked or self.paused:
            return "late"
        record = self.records[self.remaining()[0]]
        record.renewed_at = (*record.renewed_at[:2], record.unregistered)
        record.wait = 0.0
        self._set_going()
        self.message = "under way"
        return self._what_follows("")

    def dispatch(self, *, longest_wait: float, only_look: bool) -> tuple[str, object]:
        if not self.over and not self.backward and self.deadline_passed:
            self._turn("timed_out")
            self._settle()
        if self.status == "stuck" and self.parked and only_look and not self.paused:
            return ("parked", self.remaining()[0])
        if self.over or self.paused:
            return ("nothing", None)
        if self.running:
            return ("running", (self.running, self.records[self.running].token))
        paths = self.remaining()
        wait = self.records[paths[0]].wait
        if wait > longest_wait or (only_look and wait):
            return ("nothing", None)
        if only_look:
            return ("nothing", None) if self.message == "under way" else ("waiting", paths[0])
        self.message = "under way"
        return ("publish", [(path, self.records[path].tries) for path in paths])

    # What follows

    def _turn(self, outcome: str) -> None:
        self.backward, self.status, self.outcome = True, "compensating", outcome
        self.parked = False
        for path, record in self.records.items():
            if record.state == "pending" and record.claimed and not path.endswith(":undo"):
                record.end_without_effect()  # it waited for a retry, and gets none

    def _set_going(self) -> None:
        self.status, self.parked = "compensating" if self.backward else "running", False

    def _settle(self) -> None:
        if self.running or self.remaining():
            self.message = "under way"
            return
        if not self.backward:
            self.status = self.outcome = "completed"
        elif any(each.state == "stuck" for each in self.records.values()):
            self.status = "stuck"
        else:
            self.status = "compensated"

    def _what_follows(self, link: str) -> str:
        if self.over or self.paused:
            return "end"
        return "go" if link and self.remaining()[:1] == [link] else "advance"

    def _step(self, path: str) -> StepShape:
        name = path.partition(":")[0]
        return next(step for step in self.shape.steps if step.name == name)


def _channels(step: StepShape) -> list[str]:
    return [step.name, f"{step.name}:fallback"] if step.fallback else [step.name]
