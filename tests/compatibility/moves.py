"""Sagas that are moved by hand through a log, one transition after the other."""

from collections.abc import Mapping
from typing import Any

from celery import Celery

from amends.backend.client import client_of
from amends.backend.settings import settings_of
from amends.definition.serialization import canonical_json, error_json
from amends.dispatch.coordinator import advance
from amends.errors import NotDone, Refused
from amends.log.answers import Late, Run
from amends.log.owner import Owner
from amends.log.saga_log import SagaLog, log_of
from tests.compatibility.sagas import SAGAS, Job

OVERDUE = -100.0
"""Seconds after its limit when an attempt is given up: it is overdue as soon as it is claimed."""
WAIT = 31.0
OWNER = "0ddba11c0ffe"
ACTOR = {"by": "an operator", "why": "it was asked for"}


class Moves:
    """Moves one saga. Each method is a verb of `states`."""

    def __init__(
        self, app: Celery, saga_id: str, saga: str, tokens: Mapping[str, str] | None = None
    ) -> None:
        self._app, self.id, self._saga = app, saga_id, saga
        self._log = log_of(app)
        settings = settings_of(app)
        self._hurried = SagaLog(
            client_of(settings.backend),
            shards=settings.shards,
            root=settings.key_root,
            give_up_after=OVERDUE,
        )
        self.tokens = dict(tokens or {})  #: Of the last claim of each record.
        self._held = set(self.tokens)  # a claim of the release before ends first
        self._acts = 0
        self.last_act: tuple[str, str, str] | None = None  #: Its verb, its path or '', and its id.

    def begin(self, given: dict[str, Any]) -> None:
        """Write the saga's start."""
        job = Job(job_id=self.id, **given).model_dump(mode="json")
        self._log.starts.start_saga(self.id, SAGAS[self._saga].itinerary, canonical_json(job))

    def make(self, moves: str) -> None:
        """Make a row of moves."""
        for move in filter(None, (each.strip() for each in moves.split(";"))):
            verb, _, path = move.partition(" ")
            getattr(self, f"_{verb}")(*filter(None, [path]))

    def act(self, verb: str, path: str, act_id: str) -> str:
        """Do what an operator does. Returns what the log answered, in a word."""
        how: dict[str, Any] = {"actor": ACTOR, "act_id": act_id}
        control = self._log.control
        match verb:
            case "cancel":
                error = canonical_json({"type": "Cancelled", "message": ACTOR["why"]})
                answer: object = control.cancel_saga(self.id, error=error, **how)
            case "skip":
                output = "" if path.endswith(":undo") else canonical_json({"part": "by hand"})
                answer = control.skip_step(self.id, path, output=output, **how)
            case _:
                answer = getattr(control, f"{verb}_saga")(self.id, **how)
        self.last_act = verb, path, act_id
        return type(answer).__name__

    def _act(self, verb: str, path: str = "") -> None:
        self._acts += 1
        told = self.act(verb, path, f"act-{self._acts}")
        assert told != Late.__name__, (self.id, verb)

    def _send(self) -> None:
        advance(self._app, self.id)

    def _lose(self) -> None:
        assert self._log.dispatch_saga(self.id, longest_wait=300.0), self.id

    def _run(self, path: str, log: SagaLog | None = None) -> None:
        token = self.tokens[path] = f"{path}-{len(self.tokens)}"
        owner = Owner(worker=OWNER, pid="4000000", message=f"{self.id}.1.{path}").format()
        answer = (log or self._log).claim_step(self.id, path, token=token, owner=owner, retries=999)
        assert isinstance(answer, Run), (self.id, path, answer)

    def _overdue(self, path: str) -> None:
        self._run(path, self._hurried)

    def _finish(self, path: str) -> None:
        output = "null" if path.endswith(":undo") else canonical_json({"part": f"{path} of before"})
        self._log.complete_step(self.id, path, token=self.tokens[path], output=output, link="")

    def _do(self, path: str) -> None:
        self._run(path)
        self._finish(path)

    def _wait(self, path: str) -> None:
        self._put_off(path, ConnectionError("no answer"), wait=WAIT, unknown=True, cost="attempt")

    def _rest(self, path: str) -> None:
        self._put_off(path, ConnectionError("no answer"), wait=3600.0, unknown=True, cost="attempt")

    def _idle(self) -> None:
        found = self._log.dispatch_saga(self.id, longest_wait=300.0)
        assert found is None, (self.id, found)

    def _note(self) -> None:
        """Do what an operator does who has seen all of its history."""
        events = sum(each.count for each in self._log.read_history(self.id))
        how: dict[str, Any] = {"actor": ACTOR, "seen": events, "act_id": "note"}
        self._log.control.pause_saga(self.id, **how)

    def _soon(self, path: str) -> None:
        self._put_off(path, ConnectionError("no answer"), wait=0.1, unknown=True, cost="attempt")

    def _miss(self, path: str) -> None:
        self._put_off(path, NotDone("not done"), wait=WAIT, unknown=False, cost="attempt")

    def _put(self, path: str) -> None:
        self._put_off(path, NotDone("not now"), wait=0.0, unknown=False, cost="nothing")

    def _die(self, path: str) -> None:
        error = ConnectionError("the worker died")
        self._put_off(path, error, wait=0.0, unknown=True, cost="worker_death")

    def _crash(self, path: str) -> None:
        self._put_off(path, ConnectionError("the child died"), wait=0.0, unknown=True, cost="death")

    def _garble(self, path: str) -> None:
        error = NotDone("its input cannot be read")
        self._put_off(path, error, wait=0.0, unknown=False, cost="unreadable")

    def _put_off(self, path: str, error: Exception, **how: Any) -> None:
        if path not in self._held:
            self._run(path)
        token, text = self.tokens[path], error_json(error)
        self._log.retry_step(self.id, path, token=token, error=text, **how)

    def _fail(self, path: str) -> None:
        self._end(path, NotDone("not done"), unknown=False, refused=False)

    def _fear(self, path: str) -> None:
        self._end(path, ConnectionError("no answer"), unknown=True, refused=False)

    def _refuse(self, path: str) -> None:
        self._end(path, Refused("no"), unknown=False, refused=True)

    def _end(self, path: str, error: Exception, **how: Any) -> None:
        if path not in self._held:
            self._run(path)
        token, text = self.tokens[path], error_json(error)
        outcome = f"no_{path.partition(':')[0]}"
        self._log.fail_step(self.id, path, token=token, error=text, outcome=outcome, link="", **how)

    def _unregistered(self, path: str) -> None:
        self._note_unregistered(path, most=5)

    def _park(self, path: str) -> None:
        self._note_unregistered(path, most=1)

    def _note_unregistered(self, path: str, *, most: int) -> None:
        self._lose()
        self._log.note_unregistered(self.id, path, task="compatibility.do", most=most)

    def _cancel(self) -> None:
        self._act("cancel")

    def _pause(self) -> None:
        self._act("pause")

    def _resume(self) -> None:
        self._act("resume")

    def _retry(self) -> None:
        self._act("retry")

    def _skip(self, path: str) -> None:
        self._act("skip", path)
