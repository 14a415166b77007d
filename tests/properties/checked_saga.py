"""A saga whose every transition goes to the log and to the model, and both must answer the same."""

import json
import uuid
from typing import Any, Final

import redis

from amends.definition.states import SagaStatus
from amends.errors import ActRefused
from amends.log.answers import Advance, Claim, Claimed, Publish, RetryAfter, Run
from amends.log.in_flight import Parked, Running, Waiting
from amends.log.saga_log import SagaLog
from amends.log.starts import AlreadyThere
from tests.properties.claim_table_model import MOST_UNREGISTERED, Model
from tests.properties.log_view import View, check_moment, check_move, code_of, view
from tests.properties.outside_world import Attempt, World
from tests.properties.saga_shapes import SAGA_INPUT, SagaShape
from tests.support.log_view import view_of

_ERROR: Final = '{"message":"it did not work","type":"Problem"}'
_KINDS: Final = {
    Publish: "publish",
    Running: "running",
    Waiting: "waiting",
    Parked: "parked",
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
        self.names = [step.name for step in shape.steps]
        self.model = Model(shape=shape)
        self.world = World()
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        self._started: list[str] = []  # in the order of their first claim
        self._undone: list[str] = []
        self._number = 0
        self._acted = False  # a person did something since the last check
        starts = log.starts
        self._numbered(starts.start_saga(self.id, shape.itinerary, SAGA_INPUT).number)
        again = starts.start_saga(self.id, shape.itinerary, SAGA_INPUT)
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
            code = code_of(path, self.names)
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
        first = self._inputs.setdefault(path.removesuffix(":undo"), answer.sources)
        assert answer.sources == first, f"the input of {path} drifted"
        if path.endswith(":undo"):
            assert answer.compensated_output == self._outputs.get(path.removesuffix(":undo"))

    def _check_start(self, path: str) -> None:
        """Let no fallback start while the primary's effect may be there, or may yet come."""
        step, _, kind = path.partition(":")
        if kind == "fallback":
            assert not self.world.may_take_effect(step), f"{path} may double the effect of {step}"
        if not path.endswith(":undo"):
            assert not self.world.receivers[path].tombstone, f"{path} starts after its undo"

    def _note_start(self, path: str) -> None:
        if path not in self._started:
            self._check_order(path)
            self._started.append(path)

    def _check_order(self, path: str) -> None:
        """Undos begin in reverse order of start; a void belongs to the way forward."""
        if not path.endswith(":undo") or not self.model.backward:
            return
        when = self._started.index(path.removesuffix(":undo"))
        assert all(when < self._started.index(each) for each in self._undone), (
            f"{path} begins after the undos of {self._undone}"
        )
        self._undone.append(path.removesuffix(":undo"))

    def end(self, path: str, token: str, report: Report) -> str:
        """End a claim."""
        name, arguments = report
        if name == "complete" and self.model.holds(path, token):
            self._outputs[path] = json.loads(arguments["output"])
        expected = getattr(self.model, name)(
            path, token, **{key: value for key, value in arguments.items() if key != "output"}
        )
        extra = {} if name == "complete" else {"error": _ERROR}
        script, given = f"{name}_step", {**arguments, **extra}
        if name == "complete" and given.pop("claim") is not None:
            script, given = "complete_and_claim", {**arguments, **extra}
        answer = getattr(self.log, script)(self.id, path, token=token, **given)
        assert answer.said == expected, f"{name} {path}: {answer}, not {expected}"
        match answer:
            case Advance(number=number):
                self._numbered(number)
            case RetryAfter(tries=tries):
                assert tries == self.model.records[path].tries
            case Claimed(run=run):
                self._check_claimed(arguments["link"], run)
        return answer.said

    def dispatch(self, *, longest_wait: float, only_look: bool = False) -> Any:
        """Ask what remains."""
        found: Any = self.log.dispatch_saga(self.id, longest_wait=longest_wait, only_look=only_look)
        kind, what = self.model.dispatch(longest_wait=longest_wait, only_look=only_look)
        assert _KINDS[type(found)] == kind, f"{found}, not {kind} {what}"
        if isinstance(found, Publish):
            assert found.records == what
            self._numbered(found.number)
            self._number += len(found.records) - 1
        elif isinstance(found, Running):
            assert (found.path, found.token) == what
            assert (found.attempts, found.deaths) == self.model.records[found.path].used[:2]
        elif isinstance(found, Waiting | Parked):
            assert found.path == what
        return found

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
        return expected

    def skip(self, path: str, *, output: str = "") -> None:
        """Let a person do a record by hand, and say so."""
        meant = self.model._meant(path)
        if self.act("skip_step", path, output=output) in ("refused", "lacking"):
            return
        for each in meant:
            self._note_start(each)
            self.world.do_by_hand(each)
            if output:
                self._outputs[each] = json.loads(output)

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
        assert self.log.unpark_saga(self.id).said == expected

    def let_the_message_be_late(self) -> None:
        """Let time pass until a sweep should look for the message."""
        self.client.hset(view_of(self.log).saga_key(self.id), "sent", 0)
        self.before.fields["sent"] = "0"
        self.model.message = "late" if self.model.message == "under way" else self.model.message

    def pass_the_deadline(self) -> None:
        """Let the saga's deadline be over; it does not ask whether the saga is."""
        saga, _, due, *_ = view_of(self.log).keys_of(self.id)
        self.client.hset(saga, "deadline", 1)
        if "paused" in self.before.fields and self.before.fields["direction"] == "forward":
            self.client.zadd(due, {self.id: 1}, xx=True)  # which is what it is due for
        self.before.fields["deadline"] = "1"
        self.model.deadline_passed = True

    def land(self, attempt: Attempt) -> None:
        """Let an effect arrive. That of an attempt whose claim stands is never refused."""
        landed = self.world.land(attempt)
        held = self.model.holds(attempt.path, attempt.token)
        assert landed or attempt.report or not held, f"{attempt.path}: its undo came first"

    def _numbered(self, number: int) -> None:
        """Hold the numbers of messages to be new ones."""
        if number:
            assert number > self._number, f"message {number} was numbered before"
            self._number = number
