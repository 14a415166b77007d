"""One run of a plot: processes, broker, log and receiver, and one process that is struck."""

import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from celery import Celery
from kombu.exceptions import OperationalError
from kombu.message import Message
from pydantic import BaseModel

import amends
from amends.backend.settings import settings_of
from amends.log.liveness import HELD_FOR
from amends.log.owner import WorkerProcess
from amends.log.saga_log import log_of
from amends.worker.retention import remove_ended
from amends.worker.sweep import Sweep
from tests.explorer.acts import PersonsAct, succeed
from tests.explorer.crash_points import Strike, Striker
from tests.explorer.explored_saga import SAGA_ID, do_b
from tests.explorer.explored_waits import APPROVAL, Approval
from tests.explorer.judgement import Evidence
from tests.explorer.log_moments import Diary
from tests.explorer.plots import Plot
from tests.explorer.processes import Process, Strand, current, outside
from tests.explorer.receiver import Ledger, Receiver
from tests.explorer.worker import Broker, Pool, do_not_know, wait_of, work_on

A_WHILE: Final = 11.0
"""Seconds that pass where there is nothing to do: after them, who does not beat is dead."""
MOST_ROUNDS: Final = 60


class World:
    """Everything there is in one run."""

    def __init__(
        self, app: Celery, broker: Broker, diary: Diary, plot: Plot, strike: Strike | None
    ) -> None:
        self.ledger = Ledger()
        self.receiver = Receiver(self.ledger)
        self.striker = Striker(
            strike,
            cancel=self.cancel,
            now=lambda: time.monotonic() + self._later,
            branch_of=plot.branch_of,
        )
        self.calls: dict[str, list[tuple[BaseModel, BaseModel | None]]] = defaultdict(list)
        self.cancels: list[bool] = []
        self._app, self._broker, self._diary = app, broker, diary
        self._saga = plot.saga
        self._acts = {path: list(acts) for path, acts in plot.acts.items()}
        self._returns = strike is not None and strike.kind.message_returns
        self._is_cut = strike is not None and strike.kind.does == "cut"
        self._most_rounds = MOST_ROUNDS
        if strike is not None and strike.kind.does == "freeze" and not strike.kind.silent:
            self._most_rounds += round(HELD_FOR / A_WHILE)  # its worker lives and has the message
        self._pool = Pool(notices_death=self._returns)
        self._later = 0.0
        self._waiting: list[tuple[Message, float]] = []
        self._hanging: list[Strand] = []
        self._somebody_died = False
        self._somebody_hung = False
        self._given, self._person = plot.given, plot.person
        self._gives = plot.has_waits and plot.is_approved
        self._let_go: set[str] = set()  # tags of messages
        self._asks = {
            f"{SAGA_ID}:{each.name}" for each in plot.itinerary.steps if each.verification
        }
        self._unregistered = plot.unregistered
        self._unknown = app.tasks.pop(do_b.name) if plot.unregistered else None

    @property
    def evidence(self) -> Evidence:
        """What is known beside the log."""
        return Evidence(
            ledger=self.ledger,
            struck=self.striker.struck_at is not None,
            cancelled=any(self.cancels),
            stopped=self.striker.stops_somebody or self._somebody_hung,
        )

    @property
    def wrongs(self) -> list[str]:
        """What went wrong on the way: with claims, their owners, or the input of attempts."""
        drifted = [path for path, calls in self.calls.items() if any(c != calls[0] for c in calls)]
        differ = [f"attempts at {path} did not get the same" for path in drifted]
        taken_over = self.striker.claims.taken_over
        if self.striker.costs_an_owner or self._somebody_died:
            taken_over = []
        alive = [f"{path} was taken over from an owner who lived" for path in taken_over]
        is_timely = not self.striker.stops_somebody and not self._somebody_hung
        timed_out = self.striker.claims.timed_out if is_timely else []
        waited = [f"{path} had lost its owner until its time was over" for path in timed_out]
        repeated = self.ledger.repeated if is_timely else {}
        blindly = [f"{key} was tried again, and in force" for key in repeated if key in self._asks]
        return [*self.striker.claims.wrongs, *differ, *alive, *waited, *blindly]

    # What the processes do

    def begin(self, role: str, work: Callable[[], Any]) -> Process:
        """Run a process until it ends, or is stopped in the middle."""
        return Strand(Process(role), work).begin().process

    def start(self) -> None:
        """Let a client start the saga; one that died calls again if its message is to return."""

        def start() -> None:
            _again(lambda: self._saga.start(self._given, saga_id=SAGA_ID))

        client = self.begin("client", start)
        if not client.is_alive and self._returns:
            self.begin("client", start)

    def cancel(self) -> None:
        """Let a person cancel the saga."""
        self.ask(lambda _, handle: self.cancels.append(handle.cancel(by="ada", why="a whim")))

    def ask(self, act: PersonsAct) -> None:
        """Let a person do something to the saga, which may have moved on meanwhile."""

        def ask() -> None:
            with suppress(amends.UnknownSaga, amends.ActRefused):
                _again(lambda: act(self, amends.get(SAGA_ID)))

        self.begin("person", ask)

    def sweep(self) -> None:
        """Let a worker sweep whose own heartbeat is fine."""
        with outside():
            log_of(self._app).workers.note_heartbeat(
                WorkerProcess.current.name,
                self._pool.pids - self.striker.silent,
                self._broker.ids_in_hand(but=self._let_go),
            )

        def sweep() -> None:
            with suppress(amends.LogUnavailable, OperationalError):
                Sweep(self._app, may_judge=lambda: True).run_once()

        self.begin("sweeper", sweep)

    def remove(self) -> None:
        """Let a worker remove what ended long ago."""
        self.pass_time(settings_of(self._app).retention + A_WHILE)

        def remove() -> None:
            _again(lambda: remove_ended(self._app))

        while self._diary.read().status is not None:
            self.begin("remover", remove)

    def work(self) -> bool:
        """Let a worker take the next message; answers False where none is to be had."""
        message = self._next_message()
        if message is None:
            return False
        silent = set(self.striker.silent)
        worker = self.begin("worker", lambda: self._work_on(message))
        if not worker.is_alive or self.striker.silent != silent:
            self._let_go.add(message.delivery_tag)  # no heartbeat names what they had
        is_unanswered = message.delivery_tag in self._broker.unanswered()
        is_lost = self._is_cut or (self._returns and not worker.is_alive)
        if is_lost and is_unanswered:
            self._broker.give_back(message.delivery_tag)
        return True

    def _work_on(self, message: Message) -> None:
        if self._unregistered and message.headers["task"] == do_b.name:
            self._unregistered -= 1
            if not self._unregistered:
                self._register()
            do_not_know(self._app, message)
        else:
            work_on(self._app, message, self._pool)

    def _register(self) -> None:
        if self._unknown is not None:
            self._app.tasks[do_b.name] = self._unknown

    def _next_message(self) -> Message | None:
        for waiting in self._waiting:
            if waiting[1] <= self._later:
                self._waiting.remove(waiting)
                return waiting[0]
        while message := self._broker.take():
            wait = wait_of(message)
            if wait <= 0:
                return message
            self._waiting.append((message, self._later + wait))
        return None

    # Time

    def pass_time(self, seconds: float) -> None:
        """Let time pass, for the log and for messages that wait."""
        self._later += seconds
        self._diary.pass_time(seconds)

    def settle(self) -> None:
        """Let the world go on until the saga is at rest and there are no messages."""
        for _ in range(self._most_rounds):
            while self.work():
                pass
            before = self._diary.read()
            if self._gives and before.waits_for_approval:
                self.ask(lambda _, handle: handle.signal(APPROVAL, Approval(), id="click"))
                continue
            if self._person and before.stands_still:
                self.ask(self._person)
                continue
            if before.at_rest and not self._waiting:
                return
            self.pass_time(A_WHILE)
            before = self._diary.read()
            self.sweep()
            given_up = self._diary.read().fields.get("messages") != before.fields.get("messages")
            if given_up and self.striker.goes_on("once given up"):
                self.striker.thaw()
        raise AssertionError(f"{before.status} and not at rest after {self._most_rounds} rounds")

    def come_late(self) -> None:
        """Let all that is frozen go on, and all that was lost come back."""
        self.striker.thaw()
        while self._hanging:
            self._hanging.pop().go_on()
        for tag in self._broker.unanswered():
            self._broker.give_back(tag)
        self.settle()
        self.sweep()

    def end(self) -> None:
        """Let no thread be left behind, and all tasks be known, whatever went wrong."""
        self._register()
        self.striker.end()
        for strand in self._hanging:
            strand.process.is_alive = False
            strand.go_on()

    # What an activity may do

    def play(self, path: str, request: BaseModel, output: BaseModel | None) -> None:
        """Do what the plot says of this attempt."""
        self.calls[path].append((request, output))
        key = amends.context().undone.idempotency_key if amends.context().undone else None
        acts = self._acts.get(path)
        act = acts.pop(0) if acts else succeed
        if key is None:
            own = amends.context().idempotency_key
            act(self, lambda: self.receiver.make(own))
        else:
            act(self, lambda: self.receiver.undo(key))

    def find(self, path: str, key: str) -> bool:
        """Answer a verification as the plot says of it: with the truth, where it is answered."""
        acts = self._acts.get(path)
        act, found = acts.pop(0) if acts else succeed, []
        act(self, lambda: found.append(self.receiver.find(key)))
        return found[0]

    def die(self) -> None:
        """Be killed."""
        self._somebody_died = True
        process = current()
        assert process is not None
        process.kill()

    def hang(self) -> None:
        """Stop, until the saga has ended."""
        self._somebody_died = self._somebody_hung = True
        self._hanging.append(Strand.here())
        self._hanging[-1].stop_here()


def _again(call: Callable[[], Any]) -> None:
    """Do what who calls may do where the log is away: call again, or leave it."""
    for _ in range(2):
        with suppress(amends.LogUnavailable):
            call()
            return
