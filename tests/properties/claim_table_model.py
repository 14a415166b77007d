"""The protocol in plain Python, as the design has it: the claim table, three outcomes, two channels.

It was written from the design and not from the Lua, so that where they differ one of them is wrong.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile

from amends.log.answers import Claim
from tests.properties.saga_shapes import SagaShape, StageShape, StepShape

FINISHED = frozenset({"done", "failed", "unknown", "stuck", "skipped", "omitted"})
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
    asked: bool = False  # of a verification
    then: tuple[str, str] = ("", "")  # what follows if that finds no effect, and the outcome
    nobody_knows: bool = False
    wait: float = 0.0
    signals: int = 0  # of a wait
    givers: set[str] = field(default_factory=set)
    deed: str = ""  # what was last done about a child
    is_timed_out: bool = False  # whether the time of a wait is over
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
class Branch:
    """A branch of a stage: its steps by what they are called in paths, and its message."""

    number: int
    steps: dict[str, StepShape]
    opened: bool = False  # it had a place once
    message: str = "under way"  # or late, or none
    had_place: bool = True
    follower: "Branch | None" = None  # what got its place
    joined: bool = False  # it ended its stage

    def paths(self) -> Iterator[str]:
        """Yield every record, in the order in which they run on the way forward."""
        for name, step in self.steps.items():
            for path in channels(name, step):
                yield from (path + kind for kind in ("", *kinds_of(step)))


@dataclass(kw_only=True)
class Stage:
    """A stage of several branches. It is not there, running, done or stuck, and so is its undo."""

    name: str
    shape: StageShape
    branches: list[Branch] = field(default_factory=list)
    state: str = ""
    undo: str = ""
    queue: list[Branch] = field(default_factory=list)
    order: list[Branch] = field(default_factory=list)  # of the first claims

    @property
    def bound(self) -> int:
        return self.shape.bound or len(self.branches)


@dataclass(kw_only=True)
class Model:
    """One saga. Its methods answer what the log should, without the numbers of messages."""

    shape: SagaShape
    status: str = "pending"
    backward: bool = False
    turns_now: bool = False
    deadline_passed: bool = False
    paused: bool = False
    parked: str = ""  # the record that no worker knows, while the saga is stuck for it
    message: str = "under way"  # of the line: or late, or none
    outcome: str | None = None
    records: dict[str, Record] = field(default_factory=dict)
    switched: dict[str, str] = field(default_factory=dict)
    signals: dict[str, str] = field(default_factory=dict)  # the answer to each, by its id

    def __post_init__(self) -> None:
        self.steps = dict(self.shape.named_steps)
        for name, step in self.steps.items():
            for path in channels(name, step):
                for kind in ("", *kinds_of(step)):
                    self.records[path + kind] = Record()
        self.line: list[str | Stage] = []
        for n, shape in enumerate(self.shape.stages, 1):
            if not shape.is_wide:
                self.line.append(shape.steps[0].name)
                continue
            stage = Stage(name=f"p{n}", shape=shape)
            stage.branches = [
                Branch(number=k, steps=dict(row)) for k, row in enumerate(shape.rows, 1)
            ]
            self.line.append(stage)
        self.stages = [each for each in self.line if isinstance(each, Stage)]
        if isinstance(self.line[0], Stage) or self.is_wait(self.line[0]):
            self.message = "none"

    def is_wait(self, path: str | Stage | None) -> bool:
        """Tell whether a record stands without a message: it waits, or is a child or its undo."""
        name, _, kind = path.partition(":") if isinstance(path, str) else ("", "", "")
        step = self.steps.get(name)
        return step is not None and step.stands and (not kind or (step.child and kind == "undo"))

    @property
    def waiting(self) -> list[str]:
        return [path for path, each in self.records.items() if each.state == "waiting"]

    def chain_of(self, paths: list[str]) -> list[str]:
        """Return what a chain of messages has of what remains: all up to a wait."""
        return list(takewhile(lambda each: not self.is_wait(each), paths))

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def over(self) -> bool:
        return self.ended or self.status == "stuck"

    @property
    def running(self) -> list[str]:
        return [path for path, each in self.records.items() if each.state == "running"]

    def holds(self, path: str, token: str) -> bool:
        record = self.records.get(path)
        return record is not None and (record.state, record.token) == ("running", token)

    @property
    def settling(self) -> Stage | None:
        """The stage in which the saga has turned, and something runs still."""
        return next(
            (each for each in self.stages if self.backward and each.state == "running"), None
        )

    def place_of(self, path: str) -> tuple[Stage, Branch] | None:
        """Find the branch that a record is in; None for one of the line."""
        name = path.partition(":")[0]
        return next(
            ((s, branch) for s in self.stages for branch in s.branches if name in branch.steps),
            None,
        )

    # The way of the saga

    def _way(self, branch: Branch | None) -> Iterator[str | Stage]:
        """Every record that this direction could come to in the line or in a branch, in the order in which they run."""
        entries: list[str | Stage] = list(branch.steps) if branch else self.line
        for each in reversed(entries) if self.backward else entries:
            if isinstance(each, Stage):
                yield each
                continue
            step = self.steps[each]
            paths = channels(each, step)
            if not self.backward:
                yield each
                if step.fallback:
                    yield f"{each}:undo"
                if step.verified:
                    yield f"{each}:verify"
                yield from (path + kind for path in paths[1:] for kind in _forward_kinds(step))
            else:
                kinds = list(reversed(kinds_of(step)))
                yield from (path + kind for path in reversed(paths) for kind in kinds)
                if self.records[each].state == "waiting":
                    yield each

    def _remains(self, entry: str | Stage) -> bool:
        if isinstance(entry, Stage):
            state = entry.undo if self.backward else entry.state
            return state in ("", "running") and (not self.backward or entry.state == "done")
        if not self.records[entry].is_open:
            return False
        if entry.endswith(":verify") or self.records[entry].state == "waiting":
            return self.records[entry].asked or not entry.endswith(":verify")
        if self.backward and self._is_in_doubt(entry):
            return False
        undone = self.records.get(entry.removesuffix(":undo")) if entry.endswith(":undo") else None
        if self.backward:
            return undone is not None and undone.state in MAY_HAVE_TAKEN_EFFECT
        step = entry.partition(":")[0]
        if undone is not None:  # a void belongs to a switch, and to an effect that may be there
            return step in self.switched and undone.state == "unknown"
        return not entry.endswith(":fallback") or step in self.switched

    def _is_in_doubt(self, undo: str) -> bool:
        """Tell whether nobody could tell if there is anything to undo."""
        asked = self.records.get(f"{undo.removesuffix(':undo')}:verify")
        return asked is not None and asked.state == "stuck"

    def remains(self, branch: Branch | None = None) -> list[str | Stage]:
        """Return what remains of the line, or of a branch. Forward nothing does after what failed for good."""
        found: list[str | Stage] = []
        for each in () if self.settling else self._way(branch):
            if not self.backward and self._failed_for_good(each):
                break
            if self._remains(each):
                found.append(each)
        return found

    def _failed_for_good(self, entry: str | Stage) -> bool:
        return (entry.state if isinstance(entry, Stage) else self.records[entry].state) == "stuck"

    def passed_pivot(self) -> bool:
        """Tell whether the point of no return took effect, or may have."""
        for name, step in self.steps.items():
            if step.pivot:
                return any(self._may_stand(path) for path in channels(name, step))
        return False

    def _may_stand(self, path: str) -> bool:
        record, void = self.records[path], self.records.get(f"{path}:undo")
        if record.state == "pending":
            return record.nobody_knows
        if record.state == "unknown":
            return void is None or void.state not in ("done", "skipped")
        return record.state in ("running", "done", "skipped", "stuck")

    def remains_in(self, branch: Branch) -> list[str]:
        return [each for each in self.remains(branch) if isinstance(each, str)]

    def stage_at_hand(self) -> Stage | None:
        """Return the stage whose branches are at hand."""
        first = next(iter(self.remains()), None)
        at_hand = isinstance(first, Stage) and (first.undo if self.backward else first.state)
        return first if isinstance(first, Stage) and at_hand == "running" else None

    def rows(self) -> Iterator[tuple[Branch | None, list[str]]]:
        """Yield what remains at hand: of the line up to a stage, or of each branch that has a place; None for the line."""
        stage = self.stage_at_hand() or self.settling
        if stage is None:
            if chain := self.chain_ahead():
                yield None, chain
            return
        for branch in stage.branches:
            if branch.opened and branch not in stage.queue:
                yield branch, self.remains_in(branch)

    def chain_ahead(self) -> list[str]:
        """Return what remains of the line up to the next stage."""
        found = []
        for each in self.remains():
            if isinstance(each, Stage):
                break
            found.append(each)
        return found

    def remaining(self) -> list[str]:
        """Return what remains of all rows at hand."""
        return [path for _, paths in self.rows() for path in paths]

    def firsts(self, which: int) -> list[str]:
        """Return the record that comes next in one of the rows at hand; nothing where nothing does."""
        found = [paths[0] for _, paths in self.rows() if paths]
        return [found[which % len(found)]] if found else []

    # The claim table

    def claim(self, path: str, claim: Claim, *, brought: str = "") -> str:
        place = self.place_of(path)
        branch = place[1] if place else None
        if self.over or path not in self.records or (branch and not branch.opened):
            return "stop"
        if self.is_wait(path):
            return "stop"
        record, running = self.records[path], self._running_in(branch)
        if running == path and record.token in (claim.token, *brought.split(",")):
            record.token, record.owner = claim.token, claim.owner
            return "run"
        if running:
            return "stop"
        if not record.is_open:
            passed = self._is_passed(path) and self._nothing_claimed_after(path, branch)
            return "done" if passed else "stop"
        has_place = not place or self._is_placed(*place)
        is_next = has_place and self.remains(branch)[:1] == [path]
        if self.paused or not is_next or claim.retries < record.tries:
            return "stop"
        if place and branch not in place[0].order:
            place[0].order.append(place[1])
        record.state, record.claimed = "running", True
        record.token, record.owner = claim.token, claim.owner
        if self.status == "pending":
            self.status = "running"
        return "run"

    def _running_in(self, branch: Branch | None) -> str | None:
        paths = branch.paths() if branch else (p for p in self.records if not self.place_of(p))
        return next((path for path in paths if self.records[path].state == "running"), None)

    def _is_placed(self, stage: Stage, branch: Branch) -> bool:
        """Tell whether a branch may go on: also beside an undo of the line that an operator retries."""
        return (
            stage.undo if self.backward else stage.state
        ) == "running" and branch not in stage.queue

    def take_over(self, path: str, token: str, taken_from: str) -> bool:
        is_mine = path in self.running and self.records[path].token in (token, taken_from)
        if is_mine:
            self.records[path].token = token
        return is_mine

    def _is_passed(self, path: str) -> bool:
        name = path.partition(":")[0]
        if path.endswith(":verify"):
            return False
        if path.endswith(":undo") or self.records[path].state in ("done", "skipped", "omitted"):
            return True
        step = self.steps[name]
        return step.passed_over and (path.endswith(":fallback") or name not in self.switched)

    def _nothing_claimed_after(self, path: str, branch: Branch | None) -> bool:
        way = list(self._way(branch))
        if path not in way:  # the saga has turned since
            return False
        return not any(self._was_claimed(each) for each in way[way.index(path) + 1 :])

    def _was_claimed(self, entry: str | Stage) -> bool:
        if isinstance(entry, Stage):
            return bool(entry.undo if self.backward else entry.state)
        if self.is_wait(entry):
            return self.records[entry].state != "pending"
        return self.records[entry].claimed

    # How a claim ends

    def complete(
        self,
        path: str,
        token: str,
        *,
        link: str,
        claim: Claim | None,
        omitted: bool = False,
        took_effect: bool = True,
    ) -> str:
        record = self.records.get(path)
        is_answered = path.endswith(":verify") and record is not None and not record.asked
        if (
            record is not None
            and (record.state in ("done", "omitted") or is_answered)
            and record.token == token
        ):
            if claim and self.holds(link, claim.token):
                return "run"  # the first answer, whatever came since
            return self._go_on(path, link, claim)
        if record is None or not self.holds(path, token):
            return "late"
        record.end_claim(spent=not omitted)
        if path.endswith(":verify"):
            self._conclude(path.removesuffix(":verify"), took_effect=took_effect)
        else:
            record.state = "omitted" if omitted else "done"
        joined = self._settle(path)
        return self._go_on(path, link, claim, joined=joined)

    def _ask(self, path: str, then: str, outcome: str = "") -> None:
        """Have a record verified, of whose effect nobody knows."""
        self.records[path].state = "unknown"
        asked = self.records[f"{path}:verify"]
        asked.asked, asked.state, asked.then = True, "pending", (then, outcome)
        asked.tries += bool(asked.attempts)  # a claim of an earlier question is none of this one
        asked.retries = True
        asked.renewed_at = (asked.attempts, asked.deaths, asked.unregistered)

    def _conclude(self, path: str, *, took_effect: bool) -> None:
        """Go on with what its receiver tells of a record."""
        record, asked = self.records[path], self.records[f"{path}:verify"]
        asked.asked, asked.state, asked.claimed = False, "pending", False
        record.nobody_knows = False
        then, outcome = asked.then
        if took_effect:
            record.state = "done"
        elif then == "retry" and not self.backward:
            record.state = "pending"
        else:
            record.end_without_effect()
            if not self.backward:
                self._after_failure(
                    path.partition(":")[0], path, refused=then == "refused", outcome=outcome
                )

    def _is_asked_for(self, path: str, *, unknown: bool) -> bool:
        return unknown and f"{path}:verify" in self.records

    def _go_on(self, path: str, link: str, claim: Claim | None, *, joined: bool = False) -> str:
        """Claim what follows, if that is the chain's next link and it may run."""
        follows = self._what_follows(link, path, joined=joined)
        if follows == "go" and claim and self.claim(link, claim) == "run":
            return "run"
        return follows

    def retry(self, path: str, token: str, *, wait: float, unknown: bool, cost: str) -> str:
        record = self.records.get(path)
        if record is not None and record.token == token and record.state != "running":
            if record.state == "pending" and (record.asked or not path.endswith(":verify")):
                return "retry"
            has_turned = self.backward and not path.endswith(":undo")
            if (has_turned or f"{path}:verify" in self.records) and not record.is_open:
                return self._what_follows("", path)
        if record is None or not self.holds(path, token):
            return "late"
        record.end_claim(spent=cost == "attempt", nobody_knows=unknown)
        record.tries += 1
        record.deaths += cost == "death"
        record.worker_deaths += cost == "worker_death"
        if self._is_asked_for(path, unknown=unknown):
            self._ask(path, "fail" if self.backward else "retry")
            record.wait = wait
            record.retries = True
            return self._what_follows("", path, joined=self._settle(path))
        if self.backward and not path.endswith(
            (":undo", ":verify")
        ):  # it settles, and is not retried
            record.end_without_effect()
            joined = self._settle(path)
            return self._what_follows("", path, joined=joined)
        record.state = "pending"
        if self.settling:  # a void of a stage in which the saga has turned
            return self._what_follows("", path, joined=self._settle(path))
        record.wait = wait
        self._set_message(path, "under way" if wait <= LONGEST else "none")
        record.retries = True
        return "retry"

    def _set_message(self, path: str, message: str) -> None:
        if place := self.place_of(path):
            place[1].message = message
        else:
            self.message = message

    def message_of(self, path: str) -> str:
        place = self.place_of(path)
        return place[1].message if place else self.message

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
            return self._what_follows(link, path)
        if record is None or not self.holds(path, token):
            return "late"
        record.end_claim(spent=cost == "attempt", nobody_knows=unknown)
        record.tries += 1
        name = path.partition(":")[0]
        if path.endswith((":undo", ":verify")):
            record.state = "stuck"
            is_void = path.endswith(":undo") and not self.backward
            if is_void and not self.passed_pivot():  # no fallback then
                self._turn(self.switched[name], path)
        elif self._is_asked_for(path, unknown=unknown):
            self._ask(path, "refused" if refused else "fail", outcome)
        else:
            record.end_without_effect()
            if not self.backward:
                self._after_failure(name, path, refused=refused, outcome=outcome)
        joined = self._settle(path)
        return self._what_follows(link, path, joined=joined)

    def _after_failure(self, name: str, path: str, *, refused: bool, outcome: str) -> None:
        step = self.steps[name]
        if step.fallback and path == name and not refused:
            self.switched[name] = outcome
        elif not step.passed_over and self.passed_pivot():
            self.records[path].state = "stuck"
        elif not step.passed_over:
            self._turn(outcome, path)

    # From outside

    def cancel_saga(self) -> str:
        if self.ended or self.backward:
            return "late"
        if self.passed_pivot():
            return "refused"
        self._turn("cancelled")
        self._settle()
        return self._what_follows_act()

    def retry_saga(self) -> str:
        if self.ended or not self._has_what_to_retry():
            return "refused"
        for path, record in self.records.items():
            if record.state == "stuck" and not self.place_of(path):
                record.state = "pending"
                record.renew()
        for each in self.stages:
            if "stuck" in (each.state, each.undo):
                self._retry_stuck_stage(each)
        first = next(iter(self.remains()), None)
        if isinstance(first, str):
            self.records[first].renew()
        if self.status == "stuck":
            self._set_going()
        self.message = "under way"
        return self._what_follows_act()

    def _has_what_to_retry(self) -> bool:
        """Tell whether a retry would do more than send a message; what waits in the branches at hand is retried."""
        if stage := self.stage_at_hand():
            retried = [self._retry_branch(branch) for branch in self._placed(stage)]
            return any(retried)
        if self.settling:
            return False
        chain = self.chain_ahead()
        return not self.running and not (chain and self._is_under_way(chain[0]))

    def _placed(self, stage: Stage) -> list[Branch]:
        """Return the branches of a stage that were opened."""
        return [branch for branch in stage.branches if branch.opened]

    def _is_under_way(self, path: str) -> bool:
        record = self.records[path]
        if self.is_wait(path):
            return record.state == "waiting"
        is_sent = self.message_of(path) == "under way"
        return self.status != "stuck" and not record.retries and is_sent

    def _retry_branch(self, branch: Branch) -> bool:
        stuck = [path for path in branch.paths() if self.records[path].state == "stuck"]
        remains, running = self.remains_in(branch), self._running_in(branch)
        for path in stuck:
            self.records[path].state = "pending"
            self.records[path].renew()
        if not stuck and (running or not remains or self._is_under_way(remains[0])):
            return False
        if running or self.records[self.remains_in(branch)[0]].state == "waiting":
            return True
        self.records[self.remains_in(branch)[0]].renew()
        branch.message = "none"
        return True

    def _retry_stuck_stage(self, stage: Stage) -> None:
        if stage.state == "stuck":
            stage.state = "running"
        for branch in self._placed(stage):
            self._retry_branch(branch)
        if stage.undo == "stuck":
            self._open_undo(stage)

    def skip_step(self, path: str, *, output: str) -> str:
        if self.ended:
            return "refused"
        if self.parked:
            self._owe_messages()
        meant = self._meant(path)
        if refusal := self._objection(path, meant, output):
            return refusal
        place = self.place_of(path)
        if place and place[1] not in place[0].order:
            place[0].order.append(place[1])
        of_meant = self.place_of(meant[0])
        if of_meant and of_meant[0].state == "stuck":
            of_meant[0].state = "running"
        for each in meant:
            self._skip(each, output)
        if of_meant:
            self._unstick(of_meant[0])
        if not self._running_in(place[1] if place else None):
            self._set_going()
        joined = self._settle(path)
        return self._what_follows_act(*(place or ()) if not joined else ())

    def _objection(self, path: str, meant: list[str], output: str) -> str:
        """Tell how a skip is refused, '' if it is not: an undo has no output, what does a step has one."""
        for each in meant:
            if each.endswith(":verify") and each != path and not output:
                return "lacking"
            if each.endswith(":undo") and output:
                return "refused"
            if self.records[each].state == "waiting" and each not in self.steps:
                return "refused"
            if self.records[each].state == "waiting" and self.steps[each].child:
                return "refused"
            if each in self.steps and self.steps[each].wait == 0:
                if output:
                    return "refused"
            elif not each.endswith((":undo", ":verify")) and not output:
                return "lacking"
        return "" if meant else "refused"

    def _skip(self, path: str, output: str) -> None:
        if path.endswith(":verify"):
            self._conclude(path.removesuffix(":verify"), took_effect=bool(output))
        else:
            self.records[path].state = "skipped"
            self.records[path].claimed = True

    def _unstick(self, stage: Stage) -> None:
        """Let a stage go on in which something waited for a person."""
        if stage.state == "stuck":
            stage.state = "running"
        if stage.undo == "stuck":
            self._open_undo(stage)

    def _meant(self, path: str) -> list[str]:
        """Find the failed undos of a step, else what comes next of it; or exactly this record."""
        if path not in self.records:  # the failed undos of all items of a step
            name, _, kind = path.partition(":")
            if f"{name}[1]{kind and ':'}{kind}" not in self.records:
                return []
            return [
                each
                for each, record in self.records.items()
                if each.startswith(f"{name}[")
                and each.endswith(":undo")
                and record.state == "stuck"
            ]
        place = self.place_of(path)
        branch = place[1] if place else None
        if branch and not branch.opened:
            return []
        name = path if path in self.steps else None
        stuck = [
            each
            for each, record in self.records.items()
            if record.state == "stuck" and (each == path or each.partition(":")[0] == name)
        ]
        first = [each for each in self.remains(branch)[:1] if isinstance(each, str)]
        if stuck or not first or self.records[first[0]].state == "running":
            return stuck
        if place and not self._is_placed(*place):
            return []
        return first if first[0] == path or first[0].partition(":")[0] == name else []

    def pause_saga(self) -> str:
        if self.ended:
            return "refused"
        self.paused = True
        return "end"

    def resume_saga(self) -> str:
        if self.ended:
            return "refused"
        if self.paused:
            self.message = "under way"
            self.paused = False
            self.turns_now = True
            self._owe_messages()
        return self._what_follows_act()

    def _owe_messages(self) -> None:
        """Let what waits in the branches be published: its message may have come while nothing was claimed."""
        if stage := self.stage_at_hand():
            for branch in self._placed(stage):
                if not self._running_in(branch) and self.remains_in(branch):
                    branch.message = "none"

    def note_unregistered(self, path: str, *, elsewhere: bool) -> str:
        if self.over or path not in self.records or self.is_wait(path):
            return "stop"
        place = self.place_of(path)
        branch = place[1] if place else None
        if (branch and not branch.opened) or self._running_in(branch):
            return "stop"
        if self.remains(branch)[:1] != [path] or (place and not self._is_placed(*place)):
            return "stop"
        if self.message_of(path) == "none":
            return "stop"
        record = self.records[path]
        record.unregistered += not elsewhere
        if not elsewhere and record.used[2] >= MOST_UNREGISTERED:
            self.status, self.parked = "stuck", path
            return "parked"
        self._set_message(path, "none")
        return "again"

    def unpark(self) -> str:
        if self.status != "stuck" or not self.parked or self.paused:
            return "late"
        record = self.records[self.parked]
        record.renewed_at = (*record.renewed_at[:2], record.unregistered)
        record.wait = 0.0
        self._set_going()
        self.message = "under way"
        self._owe_messages()
        return self._what_follows_act()

    def dispatch(
        self, *, longest_wait: float, only_look: bool, lost: tuple[str, ...] = ()
    ) -> tuple[str, object]:
        """Answer what is found of the line; of a stage a list of that of its branches, in any order."""
        self._end_in_time()
        if self.status == "stuck" and self.parked and only_look and not self.paused:
            return ("parked", self.parked)
        if self.over or self.paused:
            return ("nothing", None)
        if running := self._running_in(None):
            return ("running", (running, self.records[running].token))
        opened = self._open_stages(only_look=only_look)
        if opened:
            return opened
        stage = self.stage_at_hand() or self.settling
        if stage and not self.backward and not self._time_out_in(stage):
            return self.dispatch(longest_wait=longest_wait, only_look=only_look, lost=lost)
        if stage is None:
            branch, paths = next(self.rows())
            return self._found(branch, paths, longest_wait, only_look, may_publish=True)
        self._give_places(stage)
        found = []
        for branch, remains in self.rows():
            child = self._child_in(branch) if branch and self.settling else None
            paths = [child] if child else remains
            if branch and (paths or self._running_in(branch)):
                may = branch.message == "none" or paths[:1] == [] or paths[0] in lost
                found.append(self._found(branch, paths, longest_wait, only_look, may_publish=may))
        told = [each for each in found if each[0] != "nothing"]
        return ("branches", told) if told else ("nothing", None)

    def _end_in_time(self) -> None:
        """Turn back where the deadline is over."""
        if not self.over and not self.backward and self.deadline_passed:
            self.deadline_passed = False
            if not self.passed_pivot():
                self._turn("timed_out")
                self._settle()
                self.turns_now = False

    def _found(
        self,
        branch: Branch | None,
        paths: list[str],
        longest_wait: float,
        only_look: bool,  # noqa: FBT001
        *,
        may_publish: bool,
    ) -> tuple[str, object]:
        if running := self._running_in(branch):
            if branch and not only_look:
                return ("nothing", None)
            return ("running", (running, self.records[running].token))
        if not paths:
            return ("nothing", None)
        if self.is_wait(paths[0]):
            return self._found_wait(paths[0], only_look=only_look)
        paths = self.chain_of(paths)
        wait, message = self.records[paths[0]].wait, branch.message if branch else self.message
        is_under_way = message == "under way" if only_look else not may_publish
        if wait > longest_wait or (only_look and wait) or is_under_way:
            return ("nothing", None)
        if only_look:
            return ("waiting", paths[0])
        self._set_message(paths[0], "under way")
        return ("publish", [(path, self.records[path].tries) for path in paths])

    def _found_wait(self, path: str, *, only_look: bool) -> tuple[str, object]:
        record, step = self.records[path], self.steps[path.partition(":")[0]]
        if record.state != "waiting":
            return ("waiting" if only_look else "begin", path)
        deed = "turn" if path.endswith(":undo") else "cancel" if self.backward else "start"
        if not step.child or record.deed == deed:
            return ("nothing", None)
        return ("waiting", path) if only_look else ("attend", (path, deed))

    def _time_out(self, path: str) -> None:
        """End a wait whose time is over."""
        record = self.records[path]
        record.is_timed_out = False
        if self.steps[path].wait:
            record.end_without_effect()
            self._after_failure(path, path, refused=True, outcome="failed")
        else:
            record.state = "done"
        place, joined = self.place_of(path), self._settle(path)
        if place and not joined:
            if self.remains_in(place[1]):
                place[1].message = "none"
        elif not self.over:
            self.message = "none"
        self.turns_now = False

    def _time_out_in(self, stage: Stage) -> bool:
        """End the waits of a stage whose time is over; tell whether it is still at hand."""
        for branch in stage.branches:
            if branch.opened and branch not in stage.queue:
                first = next(iter(self.remains_in(branch)), "")
                if self.is_wait(first) and self.records[first].is_timed_out:
                    self._time_out(first)
                    if self.backward or stage.state != "running":
                        return False
        return True

    def begin(self, path: str) -> None:
        """Begin a wait, or leave it out: its condition is false."""
        record, place = self.records[path], self.place_of(path)
        step = self.steps[path.partition(":")[0]]
        branch = place[1] if place else None
        is_at_hand = self.remains(branch)[:1] == [path] and (not place or self._is_placed(*place))
        if self.over or self.paused or self.settling or not is_at_hand:
            return
        if record.state == "waiting":
            return
        if place and branch not in place[0].order:
            place[0].order.append(place[1])
        if not step.wanted and not path.endswith(":undo"):
            record.state = "omitted"
        else:
            self.status = "running" if self.status == "pending" else self.status
            record.state = "waiting"
            self._take_signals(path)
        if record.state != "waiting":
            joined = self._settle(path)
            if branch and not joined and self.remains_in(branch):
                branch.message = "none"

    def _take_signals(self, path: str) -> None:
        step = self.steps.get(path)
        wanted = step.wait if step else None
        if wanted and self.records[path].signals >= wanted:
            self.records[path].state, self.records[path].is_timed_out = "done", False

    def signal(self, path: str, key: str, by: str) -> tuple[str, str]:
        """Give a signal; answers what became of it, and what follows."""
        key = f"{path}|{key}"
        if told := self.signals.get(key):
            return told, self._what_follows_act() if told == "taken" else "end"
        record, step = self.records.get(path), self.steps.get(path)
        wanted = step.wait if step else None
        if self.ended or self.backward or record is None or not wanted:
            return "refused", ""
        has_begun = record.state == "waiting"
        if record.state not in ("waiting", "pending") or record.signals >= wanted:
            return "refused", ""
        if by and by in record.givers:
            return "refused", ""
        record.signals += 1
        record.givers.add(by)
        if has_begun:
            self._take_signals(path)
        how = "kept" if not has_begun else "taken" if record.state == "done" else "counted"
        self.signals[key] = how
        if how != "taken":
            return how, "end"
        joined = self._settle(path)
        return how, self._what_follows_act(*(self.place_of(path) or ()) if not joined else ())

    def _open_stages(self, *, only_look: bool) -> tuple[str, object] | None:
        """Open the stage that comes first, and pass over those in which there is nothing to do."""
        while True:
            first = next(iter(self.remains()), None)
            if isinstance(first, str) and self.is_wait(first):
                if not self.records[first].is_timed_out:
                    return self._found_wait(first, only_look=only_look)
                self._time_out(first)
                return self._after_time_out(only_look=only_look)
            if not isinstance(first, Stage) or (first.undo if self.backward else first.state):
                return None
            if only_look:
                return ("waiting", None)
            if self.backward:
                self._open_undo(first)
            elif first.shape.items is not None:
                return ("expand", first.name)
            else:
                self.open(first)
            if (first.undo if self.backward else first.state) != "running":
                self._settle()
            if self.over:
                return ("nothing", None)

    def _after_time_out(self, *, only_look: bool) -> tuple[str, object] | None:
        return ("nothing", None) if self.over else self._open_stages(only_look=only_look)

    def open(self, stage: Stage) -> None:
        """Open the branches of a stage, as many as its bound allows."""
        stage.state = "running" if stage.branches else "done"
        stage.queue = stage.branches[stage.bound :]
        for branch in stage.branches[: stage.bound]:
            branch.opened, branch.message = True, "none"

    def expand(self, name: str) -> None:
        """Open a stage that has a branch for each item."""
        stage = next(each for each in self.stages if each.name == name)
        if not self.over and not self.paused and self.remains()[:1] == [stage] and not stage.state:
            self.open(stage)
            if stage.state != "running":
                self._settle()

    def _open_undo(self, stage: Stage) -> None:
        order = [
            *reversed(stage.order),
            *(b for b in reversed(stage.branches) if b not in stage.order),
        ]
        if not stage.shape.ordered:
            order = stage.branches[::-1]
        for branch in order:
            self._give_up_waiting(branch.paths())
        owing = [branch for branch in order if branch.opened and self.remains_in(branch)]
        bound = 1 if stage.shape.ordered else stage.bound
        stage.queue = owing[bound:]
        for branch in stage.branches:
            branch.had_place, branch.follower, branch.joined = branch in owing, None, False
            if branch in owing:
                branch.message = "none"
        stuck = any(self._is_stuck(branch) for branch in stage.branches)
        stage.undo = "running" if owing else "stuck" if stuck else "done"

    def _is_stuck(self, branch: Branch) -> bool:
        return any(self.records[path].state == "stuck" for path in branch.paths())

    def _give_places(self, stage: Stage) -> None:
        bound = 1 if self.backward and stage.shape.ordered else stage.bound
        while stage.queue and not self.settling:
            taken = [b for b, paths in self.rows() if b and (paths or self._running_in(b))]
            if len(taken) >= bound:
                break
            branch = stage.queue.pop(0)
            branch.opened, branch.message = True, "none"

    # What follows

    def _turn(self, outcome: str, path: str = "") -> None:
        self.backward, self.status, self.outcome = True, "compensating", outcome
        self.turns_now = True
        self.parked = ""
        for stage in self.stages:
            stage.state = "done" if stage.state == "stuck" else stage.state
        place = self.place_of(path)
        paths = place[1].paths() if place else (p for p in self.records if not self.place_of(p))
        self._give_up_waiting(paths)

    def _child_in(self, branch: Branch) -> str | None:
        """Return the child that a branch waits for, forward."""
        waiting = [path for path in branch.steps if self.records[path].state == "waiting"]
        return next((path for path in waiting if self.steps[path].child), None)

    def note_child(self, path: str, deed: str) -> None:
        if self.records[path].state == "waiting":
            self.records[path].deed = deed

    def end_child(self, path: str, status: str, tries: int) -> str:
        record, undo = self.records.get(path), self.records.get(f"{path}:undo")
        place = self.place_of(path)
        if record is None or (place and not place[1].opened) or record.tries != tries:
            return "late"
        if undo and undo.state == "waiting" and status in ("compensated", "stuck"):
            undo.state = "done" if status == "compensated" else "stuck"
        elif record.state == "waiting" and self.steps[path].child and status != "stuck":
            if status == "completed":
                record.state = "done"
            else:
                record.tries += 1
                record.end_without_effect()
                if not self.backward:
                    self._after_failure(path, path, refused=True, outcome="failed")
        else:
            return "late"
        record.deed = ""
        if undo:
            undo.deed = ""
        joined = self._settle(path)
        return self._what_follows_act(*(place or ()) if not joined else ())

    def _give_up_waiting(self, paths: Iterable[str]) -> None:
        """Let what waits for a retry get none."""
        for path in paths:
            record = self.records[path]
            if record.state == "waiting" and self.steps[path.partition(":")[0]].wait is not None:
                record.state, record.is_timed_out = "pending", False
            waits = record.state == "pending" and record.claimed
            if waits and not path.endswith((":undo", ":verify")):
                record.end_without_effect()

    def _set_going(self) -> None:
        self.status, self.parked = "compensating" if self.backward else "running", ""

    def _settle(self, path: str = "") -> bool:
        """Bring a row to rest of which a record ended, and with it its stage and the saga; tell whether its stage ended."""
        place, settling, joined = self.place_of(path), self.settling, False
        if settling:
            if any(self._running_in(b) or self._child_in(b) for b in settling.branches):
                return False
            settling.state, joined = "done", True
            self._note_join(place)
        elif place:
            stage, branch = place
            if self._running_in(branch) or self.remains_in(branch):
                branch.message = "under way"
                return False
            branch.had_place, branch.follower, branch.joined = True, None, False
            if not self._ends(stage):
                return False
            joined = True
            self._note_join(place)
            stuck = any(self._is_stuck(each) for each in stage.branches)
            if self.backward:
                stage.undo = "stuck" if stuck else "done"
            else:
                stage.state = "stuck" if stuck else "done"
        if self.running or self.remains():
            self.message = "under way"
            return joined
        if any(each.state == "stuck" for each in self.records.values()):
            self.status = "stuck"
        elif not self.backward:
            self.status = self.outcome = "completed"
        else:
            self.status = "compensated"
        return joined

    def _note_join(self, place: tuple[Stage, Branch] | None) -> None:
        if place:
            place[1].joined = True

    def _ends(self, stage: Stage) -> bool:
        """Tell whether nothing is left to do in a stage that is at hand."""
        return not stage.queue and not any(
            self._running_in(branch) or self.remains_in(branch)
            for branch in stage.branches
            if branch.opened
        )

    def _what_follows(self, link: str, path: str = "", *, joined: bool = False) -> str:
        place = self.place_of(path)
        if place and not joined and (self._is_placed(*place) or not place[1].joined):
            return "stage" if self._owes_cancels() else self._what_follows_in(place, link)
        first = next(iter(self.remains()), None)
        if place and not joined and first and self._was_claimed(first):
            return "end"
        if self.over or self.paused or self.settling:
            return "stage" if self._owes_cancels() else "end"
        if link and first == link:
            return "go"
        if isinstance(first, Stage) or self.is_wait(first):
            return "stage"
        if place:
            self.message = "under way"
        return "next" if place else "advance"

    def _what_follows_act(self, stage: Stage | None = None, branch: Branch | None = None) -> str:
        """Tell what an act answers; the branch that it was about is owed a message."""
        if stage and branch and self._is_placed(stage, branch) and not self._running_in(branch):
            branch.message = "none" if self.remains_in(branch) else branch.message
        owes_cancels = self._owes_cancels()
        is_at_rest = self.over or self.paused or (self.settling and not owes_cancels)
        return "end" if is_at_rest else "advance"

    def _owes_cancels(self) -> bool:
        """Tell whether the saga turns now in a stage that has children, which a dispatch cancels."""
        turns_now, self.turns_now = self.turns_now, False
        if not turns_now or self.over or self.paused or self.settling is None:
            return False
        return any(
            self.steps[path].child for branch in self.settling.branches for path in branch.steps
        )

    def _what_follows_in(self, place: tuple[Stage, Branch], link: str) -> str:
        stage, branch = place
        remains, running = self.remains_in(branch), self._running_in(branch)
        if not self._is_placed(stage, branch):
            return "end"
        if self.over or self.paused:
            if remains and not running:
                branch.message = "none"
            return "end"
        if link and remains[:1] == [link]:
            return "go"
        if running or self.settling:
            return "end"
        if remains and (
            self.records[remains[0]].wait or self.is_wait(remains[0])
        ):  # a dispatch knows how long
            branch.message = "none"
            return "stage"
        if remains:
            branch.message = "under way"
            return "next"
        return self._follow(stage, branch)

    def _follow(self, stage: Stage, branch: Branch) -> str:
        """Let the next branch have the place of one that is finished, the same each time."""
        if not branch.had_place:
            return "end"
        if branch.follower is None:
            if not stage.queue:
                return "end"
            branch.follower = stage.queue.pop(0)
            branch.follower.opened = True
        elif any(
            self._was_claimed(path)
            for path in branch.follower.paths()
            if path.endswith(":undo") == self.backward
        ):
            return "end"
        if self.is_wait(self.remains_in(branch.follower)[0]):
            branch.follower.message = "none"
            return "stage"
        branch.follower.message = "under way"
        return "next"


def kinds_of(step: StepShape) -> list[str]:
    """Return what else each activity of a step has: its undo, its verification."""
    return [f":{kind}" for kind, has in (("undo", step.undoable), ("verify", step.verified)) if has]


def _forward_kinds(step: StepShape) -> list[str]:
    return ["", ":verify"] if step.verified else [""]


def channels(name: str, step: StepShape) -> list[str]:
    """Return the paths of a step's activities."""
    return [name, f"{name}:fallback"] if step.fallback else [name]
