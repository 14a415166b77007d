"""A saga whose every transition goes to the log and to the model, and both must answer the same."""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import redis

from amends.backend.script_constants import TIMED
from amends.definition.states import SagaStatus
from amends.errors import ActRefused
from amends.log.answers import Advance, Claim, Claimed, Next, Publish, RetryAfter, Run
from amends.log.in_flight import Attend, Begin, Branches, Expand, Parked, Running, Waiting
from amends.log.saga_log import SagaLog
from amends.log.starts import AlreadyThere
from tests.properties.claim_table_model import MOST_UNREGISTERED, Branch, Model
from tests.properties.log_view import View, check_moment, check_move, view
from tests.properties.outside_world import Attempt, World
from tests.properties.saga_shapes import SagaShape
from tests.support.log_view import view_of

_ERROR: Final = '{"message":"it did not work","type":"Problem"}'
_KINDS: Final = {
    Publish: "publish",
    Running: "running",
    Waiting: "waiting",
    Parked: "parked",
    Expand: "expand",
    Begin: "begin",
    Attend: "attend",
    Branches: "branches",
    type(None): "nothing",
}

Report = tuple[str, dict[str, Any]]
"""How a claim ends: complete, retry or fail, and what the script is given."""


class CheckedSaga:
    """One saga in the log, in the model and in the world."""

    def __init__(self, log: SagaLog, client: redis.Redis, shape: SagaShape) -> None:
        self.id = uuid.uuid4().hex
        self.log = log
        self.client = client
        self.shape = shape
        self.itinerary = shape.itinerary
        self.model = Model(shape=shape)
        self.world = World()
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        self._started: list[str] = []  # in the order of their first claim
        self._undone: list[str] = []
        self._number = 0
        self.dies = False  # before it notes what was done about a child
        self._acted = False  # a person did something since the last check
        self.follows: list[Any] = []  # what came of transitions
        starts = log.starts
        self._numbered(starts.start_saga(self.id, self.itinerary, shape.input).number)
        again = starts.start_saga(self.id, self.itinerary, shape.input)
        assert again == AlreadyThere(SagaStatus.PENDING)
        self.before: View = view(client, log, self.id)

    def check(self) -> None:
        """Check what must hold at every moment, and since the last one."""
        now = view(self.client, self.log, self.id)
        check_moment(now)
        check_move(self.before, now, acted=self._acted)
        self.before, self._acted = now, False
        self._compare(now)

    def _compare(self, now: View) -> None:
        model = self.model
        direction = "backward" if model.backward else "forward"
        assert (now.status, now.fields["direction"]) == (model.status, direction)
        assert now.paused == model.paused
        assert now.fields.get("outcome") == model.outcome
        for path, record in model.records.items():
            code = self.itinerary.code_of(path)
            assert (now.record(code, "s") or "pending") == record.state, path
            assert int(now.record(code, "a") or 0) == record.attempts, f"{path}: attempts"
            assert int(now.record(code, "p") or 0) == record.deaths, f"{path}: deaths"
            assert int(now.record(code, "q") or 0) == record.worker_deaths, f"{path}: workers"
            if record.is_open:
                assert int(now.record(code, "r") or 0) == record.tries, f"{path}: tries"
            if record.state == "running":
                held = (now.record(code, "t"), now.record(code, "o"))
                assert held == (record.token, record.owner), path

    # Transitions

    def claim(self, path: str, claim: Claim, *, brought: str = "") -> Any:
        """Claim a record."""
        answer = self.log.claim_step(self.id, path, **vars(claim), brought=brought)
        expected = self.model.claim(path, claim, brought=brought)
        assert type(answer).__name__.lower() == expected, f"{path}: {answer}, not {expected}"
        if isinstance(answer, Run):
            self._check_claimed(path, answer)
        return answer

    def take_over(self, path: str, token: str, taken_from: str) -> bool:
        """Take a claim over from its owner, as a sweep does."""
        answer = self.log.take_over(self.id, path, token=token, taken_from=taken_from)
        assert answer == self.model.take_over(path, token, taken_from), path
        return answer

    def _check_claimed(self, path: str, answer: Run) -> None:
        """Check what who has a claim is told."""
        assert answer.spent == self.model.records[path].used[0], path
        self._check_input(path, answer)
        self._note_start(path)
        self._check_start(path)

    def _check_input(self, path: str, answer: Run) -> None:
        """Every attempt, and the undo, gets the same input; the undo gets the output too."""
        first = self._inputs.setdefault(
            path.removesuffix(":undo").removesuffix(":verify"), answer.sources
        )
        assert answer.sources == first, f"the input of {path} drifted"
        if path.endswith(":undo"):
            assert answer.compensated_output == self._outputs.get(path.removesuffix(":undo"))

    def _check_start(self, path: str) -> None:
        """Let no fallback start while the primary's effect may be there, or may yet come."""
        step, _, kind = path.partition(":")
        if kind == "fallback":
            assert not self.world.may_take_effect(step), f"{path} may double the effect of {step}"
        if not path.endswith((":undo", ":verify")):
            assert not self.world.receivers[path].tombstone, f"{path} starts after its undo"

    def _note_start(self, path: str) -> None:
        if path.endswith(":verify"):
            return
        if path not in self._started:
            self._check_order(path)
            self._started.append(path)

    def _check_order(self, path: str) -> None:
        """Undos begin in reverse order of start, but for those of branches that ran at once; a void belongs to the way forward."""
        if not path.endswith(":undo") or not self.model.backward:
            return
        undone = path.removesuffix(":undo")
        for each in self._undone:
            assert self._started_later(each, undone), f"{path} begins after that of {each}"
        self._undone.append(undone)

    def _started_later(self, one: str, other: str) -> bool:
        """Tell whether a record was to be undone before another; either is right where their branches are undone together."""
        places = self.model.place_of(one), self.model.place_of(other)
        if places[0] and places[1] and places[0][0] is places[1][0]:
            (stage, branch), (_, another) = places
            if branch is not another:
                order = stage.order.index
                return not stage.shape.ordered or order(branch) > order(another)
        return self._started.index(one) > self._started.index(other)

    def end(self, path: str, token: str, report: Report) -> str:
        """End a claim."""
        name, arguments = report
        told = {key: value for key, value in arguments.items() if key != "output"}
        if name == "complete":
            told["omitted"] = arguments["output"] == ""
            told["took_effect"] = arguments["output"] != "null"
            if self.model.holds(path, token) and arguments["output"]:
                self._outputs[path.removesuffix(":verify")] = json.loads(arguments["output"])
        expected = getattr(self.model, name)(path, token, **told)
        extra = {} if name == "complete" else {"error": _ERROR}
        script, given = f"{name}_step", {**arguments, **extra}
        if name == "complete" and given.pop("claim") is not None:
            script, given = "complete_and_claim", {**arguments, **extra}
        given["is_plain"] = self.itinerary.is_plain
        answer = getattr(self.log, script)(self.id, path, token=token, **given)
        assert answer.said == expected, f"{name} {path}: {answer}, not {expected}"
        match answer:
            case Advance(number=number):
                self._numbered(number)
            case Next():
                self._note_next(answer)
            case RetryAfter(tries=tries):
                assert tries == self.model.records[path].tries
            case Claimed(run=run):
                self._check_claimed(arguments["link"], run)
        self.follows.append(answer)
        return answer.said

    def _note_next(self, answer: Next) -> None:
        tries = [(path, self.model.records[path].tries) for path, _ in answer.records]
        assert answer.records == tries
        rows = [self.model.chain_of(paths) for _, paths in self.model.rows()]
        assert [path for path, _ in tries] in rows, f"{tries} is published, of {rows}"
        self._numbered(answer.number)
        self._number += len(tries) - 1

    def dispatch(
        self,
        *,
        longest_wait: float,
        only_look: bool = False,
        lost: Mapping[str, str] = MappingProxyType({}),
    ) -> Any:
        """Ask what remains.

        lost: marks of branches to publish all the same, by the records that come first in them.
        """
        how: dict[str, Any] = {"longest_wait": longest_wait, "only_look": only_look}
        still_lost = self._still_lost(lost)
        found: Any = self.log.dispatch_saga(self.id, **how, lost=lost.values())
        told = self.model.dispatch(**how, lost=still_lost)
        self._check_found(found, told)
        found = self._open(found, **how)
        if isinstance(found, Expand):
            items = found.itinerary.wide_stages[found.stage].branches_of(found.sources)
            self.model.expand(found.stage)
            told = self.model.dispatch(**how)
            found = self.log.expand_stage(self.id, found.stage, items, longest_wait=longest_wait)
            self._check_found(found, told)
            found = self._open(found, **how)
        if isinstance(found, Branches):
            for each in [each for each in found.found if isinstance(each, Begin | Attend)]:
                more = self._open(each, **how)
                found = (
                    replace(found, found=[*found.found, *(more.found if more else [])])
                    if isinstance(more, Branches | None)
                    else more
                )
                if not isinstance(found, Branches):
                    break
        return found

    def _open(self, found: Any, **how: Any) -> Any:
        """Begin waits, and do what is to be done about children, unless the process dies before it says so."""
        while isinstance(found, Begin | Attend):
            if isinstance(found, Begin):
                found = self._begin(found, **how)
            elif self.dies:
                self.dies = False
                return None
            else:
                self.model.note_child(found.path, found.deed)
                told = self.model.dispatch(**how)
                longest = how["longest_wait"]
                found = self.log.note_child(self.id, found.path, found.deed, longest_wait=longest)
                self._check_found(found, told)
        return found

    def end_child(self, path: str, status: str, *, is_earlier: bool = False) -> str:
        """Tell the saga that a child has ended, or that an earlier one of that step has."""
        record = self.model.records.get(path)
        tries = (record.tries if record else 0) - is_earlier
        expected = self.model.end_child(path, status, tries)
        error = {"type": "T", "message": "m"}
        answer = self.log.end_child(self.id, path, tries=tries, status=status, told=error)
        assert answer.said == expected, f"end of {path}: {answer}, not {expected}"
        if isinstance(answer, Advance):
            self._numbered(answer.number)
        return expected

    def _begin(self, begin: Begin, **how: Any) -> Any:
        """Tell what a wait is to be told, and ask again what remains."""
        record = begin.itinerary.records[begin.path]
        wait, step = record.step.wait, self.model.steps[begin.path.partition(":")[0]]
        time = wait.ends_at(begin.sources, path=begin.path) if wait else ""
        time = time if step.wanted or begin.path.endswith(":undo") else "omit"
        self.model.begin(begin.path)
        told = self.model.dispatch(**how)
        longest = how["longest_wait"]
        found = self.log.open_wait(
            self.id, begin.path, time=time, outcome="failed", longest_wait=longest
        )
        self._check_found(found, told)
        return found

    def signal(self, path: str, key: str, by: str) -> str:
        """Give the saga a signal."""
        expected, follows = self.model.signal(path, key, by)
        try:
            how, answer = self.log.control.signal_saga(
                self.id, path, value='{"by":"s"}', signal_id=key, by=by or None
            )
        except ActRefused as refusal:
            assert expected == "refused", f"{refusal}, not {expected}"  # noqa: PT017
            return expected
        assert (how, answer.said) == (expected, follows), f"signal {path}: {how}, {answer}"
        self._acted = True
        if isinstance(answer, Advance):
            self._numbered(answer.number)
        return expected

    def pass_the_waits(self) -> None:
        """Let the time of every wait be over."""
        key = view_of(self.log).saga_key(self.id)
        for path in self.model.waiting:
            code = self.itinerary.code_of(path)
            if self.client.hexists(key, f"{code}.w"):
                self.client.hset(key, f"{code}.w", 1)
                self.model.records[path].is_timed_out = True
                if not self.model.paused:
                    due = view_of(self.log).due_key_of(self.id)
                    self.client.zadd(due, {self.id: TIMED + 1}, xx=True, lt=True)
        self.before = view(self.client, self.log, self.id)

    def _still_lost(self, lost: Mapping[str, str]) -> tuple[str, ...]:
        """Return those whose branch has had no other message since."""
        fields, found = view(self.client, self.log, self.id).fields, []
        for path, mark in lost.items():
            name, at, sent = mark.partition("@")
            if not at or fields.get(name, "").startswith(f"{sent}|"):
                found.append(path)
        return tuple(found)

    def _check_found(self, found: Any, told: tuple[str, Any]) -> None:
        kind, what = told
        assert _KINDS[type(found)] == kind, f"{found}, not {kind} {what}"
        if isinstance(found, Publish):
            assert found.records == what
            self._numbered(found.number)
            self._number += len(found.records) - 1
        elif isinstance(found, Running):
            assert (found.path, found.token) == what
            assert (found.attempts, found.deaths) == self.model.records[found.path].used[:2]
        elif isinstance(found, Waiting | Parked):
            assert what is None or found.path == what
        elif isinstance(found, Expand):
            assert found.stage == what
        elif isinstance(found, Begin):
            assert found.path == what
        elif isinstance(found, Attend):
            assert (found.path, found.deed) == what
        elif isinstance(found, Branches):
            expected = {_path_of(each): each for each in what}
            assert len(found.found) == len(what)
            for each in found.found:
                path = each.records[0][0] if isinstance(each, Publish) else each.path
                assert path in expected, f"{path} is found, and not {expected}"
                self._check_found(each, expected[path])

    def act(self, name: str, *what: str, **more: str) -> str:
        """Let a person do something; answers what came of it."""
        extra = {"error": _ERROR} if name == "cancel_saga" else {}
        expected = getattr(self.model, name)(*what, **more)
        self._acted |= expected not in ("refused", "lacking")
        script = getattr(self.log.control, name)
        try:
            answer = script(self.id, *what, actor={"by": "someone"}, **more, **extra)
        except ActRefused as refusal:
            assert expected == "refused", f"{refusal}, not {expected}"  # noqa: PT017
            return expected
        assert answer.said == expected, f"{name} {what}: {answer}, not {expected}"
        if isinstance(answer, Advance):
            self._numbered(answer.number)
        elif isinstance(answer, Next):
            self._note_next(answer)
        self.follows.append(answer)
        return expected

    def skip(self, path: str, *, output: str = "") -> None:
        """Let a person do a record by hand, and say so."""
        meant = [] if self.model.ended else self.model._meant(path)
        if self.act("skip_step", path, output=output) in ("refused", "lacking"):
            return
        for each in meant:
            if not each.endswith((":verify", ":undo")):  # an operator undoes in any order
                self._note_start(each)
            self.world.do_by_hand(each, done=bool(output))
            if output:
                self._outputs[each.removesuffix(":verify")] = json.loads(output)

    def note_unregistered(self, path: str, *, elsewhere: bool) -> None:
        """Let a message meet a worker that does not know its task; another one may."""
        expected = self.model.note_unregistered(path, elsewhere=elsewhere)
        how = {"task": "t", "most": MOST_UNREGISTERED, "elsewhere": elsewhere}
        answer = self.log.note_unregistered(self.id, path, **how)
        assert answer == expected

    def unpark(self) -> None:
        """Let a worker find that it can run the next record of a parked saga."""
        expected = self.model.unpark()
        self._acted |= expected != "late"
        answer = self.log.unpark_saga(self.id)
        assert answer.said == expected

    def let_the_message_be_late(self) -> None:
        """Let time pass until a sweep should look for the message."""
        key = view_of(self.log).saga_key(self.id)
        self.client.hset(key, "sent", 0)
        for name, text in self.client.hgetall(key).items():
            if re.fullmatch(r"p\d+\.\d+", name):
                branch, (sent, _, rest) = self._branch(name), text.partition("|")
                is_open = any(self.model.remains_in(branch)) or self.model._running_in(branch)
                if is_open and len(sent) > 9:  # else it is no time: the branch is finished
                    self.client.hset(key, name, f"0|{rest}")
                    branch.message = "late" if branch.message == "under way" else branch.message
        self.before = view(self.client, self.log, self.id)
        self.model.message = "late" if self.model.message == "under way" else self.model.message

    def _branch(self, name: str) -> Branch:
        stage, _, number = name.partition(".")
        return next(
            branch
            for each in self.model.stages
            if each.name == stage
            for branch in each.branches
            if branch.number == int(number)
        )

    def pass_the_deadline(self) -> None:
        """Let the saga's deadline be over; it does not ask whether the saga is. One that was noted is none any more."""
        if "deadline" not in self.before.fields:
            return
        saga, _, due, *_ = view_of(self.log).keys_of(self.id)
        self.client.hset(saga, "deadline", 1)
        if "paused" in self.before.fields and self.before.fields["direction"] == "forward":
            self.client.zadd(due, {self.id: 1}, xx=True)  # which is what it is due for
        elif self.model.waiting:
            self.client.zadd(due, {self.id: TIMED + 1}, xx=True, lt=True)
        self.before.fields["deadline"] = "1"
        self.model.deadline_passed = True

    def land(self, attempt: Attempt) -> None:
        """Let an effect arrive. That of an attempt whose claim stands is never refused."""
        if attempt.will_not_land or attempt.path.endswith(":verify"):
            return  # it has told so, or calls nobody, or changes nothing
        landed = self.world.land(attempt)
        held = self.model.holds(attempt.path, attempt.token)
        assert landed or attempt.report or not held, f"{attempt.path}: its undo came first"

    def _numbered(self, number: int) -> None:
        """Hold the numbers of messages to be new ones."""
        if number:
            assert number > self._number, f"message {number} was numbered before"
            self._number = number


def _path_of(told: tuple[str, Any]) -> str:
    """Name the record that the model finds first in a branch."""
    kind, what = told
    path: str = {
        "publish": lambda: what[0][0],
        "running": lambda: what[0],
        "attend": lambda: what[0],
    }.get(kind, lambda: what)()
    return path
