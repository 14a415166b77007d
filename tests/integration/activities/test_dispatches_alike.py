"""A step that runs inline is to Celery's signals, hooks and logs what a step with a message of its own is."""

import logging
import re
from collections import defaultdict
from contextlib import contextmanager

import pytest
from celery import signals
from pydantic import BaseModel

from amends import Refused, RetryPolicy, Saga, Step, activity
from tests.support.engine_saga import QUICK, Job, engine_saga, without_effect
from tests.support.eventually import eventually

pytestmark = pytest.mark.usefixtures("swept")
SIGNALS = [
    signals.task_prerun,
    signals.task_postrun,
    signals.task_success,
    signals.task_retry,
    signals.task_failure,
    signals.task_internal_error,
]
ONCE = RetryPolicy(max_attempts=1)


class NoRoom(Refused):
    pass


class NoRoomOf(Refused):
    """One that cannot be pickled, as such classes often cannot."""

    def __init__(self, hotel, nights):
        super().__init__(f"{hotel} is full for {nights} nights")


@activity(retry=QUICK)
def alike_first(job: Job) -> None:
    engine_saga.play(job)


@activity(retry=QUICK)
def alike_undo(job: Job, _: None) -> None:
    engine_saga.play(job)


@activity(retry=QUICK)
def alike_second(job: Job) -> None:
    engine_saga.play(job)


@activity(retry=QUICK)
def alike_third(job: Job) -> None:
    engine_saga.play(job)


@activity(retry=ONCE)
def alike_once(job: Job) -> None:
    engine_saga.play(job)


class End(BaseModel):
    outcome: str


SAGAS = {
    dispatch: Saga(
        f"alike_{dispatch}",
        input=Job,
        output=End,
        dispatch=dispatch,
        steps=[
            Step(alike_first, name="a", compensation=alike_undo),
            Step(alike_second, name="b", compensation=alike_undo),
            Step(alike_third, name="c", compensation=None),
        ],
    )
    for dispatch in ("chain", "inline")
}

BRIEF_SAGAS = {
    dispatch: Saga(
        f"brief_{dispatch}",
        input=Job,
        output=End,
        dispatch=dispatch,
        steps=[
            Step(alike_first, name="a", compensation=alike_undo),
            Step(alike_once, name="b", compensation=None),
        ],
    )
    for dispatch in ("chain", "inline")
}
"""Sagas whose second step has one attempt: no retry gives it a message of its own."""


class Ear(logging.Handler):
    """Hear what Celery says of each task: signals with their arguments, and lines of its log."""

    def __init__(self, saga_id):
        super().__init__()
        self.heard = defaultdict(list)
        self._saga_id = saga_id

    def hear(self, signal, sender, **told):
        request = sender.request
        task_id = told.get("task_id") or request.id
        if not task_id.startswith(self._saga_id):
            return
        told.pop("task", None)
        told.pop("runtime", None)
        for name in ("einfo", "traceback", "request", "signal"):
            told[name] = type(told.get(name)).__name__
        self._note(task_id, signal.name, sender.name, request.id, request.task, request.retries, request.root_id,
                   request.parent_id, request.kwargs, request.is_eager, sorted(told.items()))  # fmt: skip

    def emit(self, record):
        data = getattr(record, "data", {})
        if data.get("id", "").startswith(self._saga_id):
            self._note(
                data["id"], record.levelname, bool(record.exc_info), record.getMessage(), data.get("args"), data.get("kwargs")
            )  # fmt: skip

    def _note(self, task_id, *what):
        _, path = task_id.removeprefix(f"{self._saga_id}.").split(".", 1)
        if path == "advance":
            return
        said = re.sub(r"\.\d+\.", ".N.", repr(what).replace(self._saga_id, "ID"))
        said = re.sub(r"in [\d.e-]+s", "in Ns", said)
        self.heard[path].append(said)


@contextmanager
def hearing(saga_id):
    ear, logger = Ear(saga_id), logging.getLogger("celery.app.trace")
    before = logger.level
    logger.addHandler(ear)
    logger.setLevel("INFO")
    for signal in SIGNALS:
        signal.connect(ear.hear, weak=False)
    yield ear.heard
    for signal in SIGNALS:
        signal.disconnect(ear.hear)
    logger.removeHandler(ear)
    logger.setLevel(before)


def has_ended(said):
    begun, ended = (sum(f"'{name}'" in each for each in said) for name in ("task_prerun", "task_postrun"))  # fmt: skip
    return begun == ended


def play(work, saga_id, dispatch, failures, sagas=SAGAS):
    for path, errors in failures.items():
        work.script(f"{saga_id}:{path}", *map(without_effect, errors))
    with hearing(saga_id) as heard:
        handle = sagas[dispatch].start(Job(job_id=saga_id), saga_id=saga_id)
        outcome = handle.wait(timeout=60).outcome
        last = "a:undo" if handle.status == "compensated" else "c"
        # A message that another thread takes at once begins, and may end, while the attempt before is still told of.
        eventually(
            lambda: heard[last.replace(":", ".")] and all(map(has_ended, list(heard.values())))
        )
    return outcome, handle, {path: sorted(said) for path, said in heard.items()}


@pytest.mark.parametrize(
    ("failures", "outcome"),
    [
        ({}, "completed"),
        ({"b": [OSError("cut")], "c": [OSError("cut"), OSError("cut")]}, "completed"),
        ({"b": [KeyError("missing")] * 3}, "failed"),
        ({"c": [NoRoom("full")]}, "failed"),
        ({"c": [NoRoom("full")], "a:undo": [OSError("cut")]}, "failed"),
    ],
    ids=["all succeed", "some are tried again", "one fails", "one is refused", "an undo is tried again"],
)  # fmt: skip
def test_it_is_heard_of_in_the_same_way(work, saga_id, failures, outcome):
    ended, _, by_messages = play(work, f"{saga_id}-m", "chain", failures)
    assert (ended, len(by_messages) >= 3 - len(failures)) == (outcome, True)
    _, handle, inline = play(work, f"{saga_id}-i", "inline", failures)
    assert inline == by_messages
    assert handle.outcome == outcome


def test_a_failed_step_is_told_with_its_own_task_and_its_traceback(work, saga_id):
    _, _, heard = play(work, saga_id, "inline", {"b": [KeyError("missing")] * 3})
    (failure,) = [each for each in heard["b"] if "task_failure" in each]
    assert alike_second.name in failure
    (line,) = [each for each in heard["b"] if "ERROR" in each]
    assert "raised unexpected: KeyError('missing')" in line
    assert "True" in line  # with the traceback


def test_a_step_that_fails_while_it_runs_inline_is_as_loud_as_one_with_a_message(work, saga_id):
    failures = {"b": [KeyError("missing")]}
    _, _, by_messages = play(work, f"{saga_id}-m", "chain", failures, BRIEF_SAGAS)
    _, _, inline = play(work, f"{saga_id}-i", "inline", failures, BRIEF_SAGAS)
    assert inline == by_messages
    (failure,) = [each for each in inline["b"] if "task_failure" in each]
    assert alike_once.name in failure
    (line,) = [each for each in inline["b"] if "ERROR" in each]
    assert "raised unexpected: KeyError('missing')" in line
    assert "True" in line  # with the traceback


@pytest.mark.parametrize("dispatch", SAGAS)
@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (NoRoom("full"), "NoRoom: full"),
        (NoRoomOf("Ritz", 3), "NoRoomOf: Ritz is full for 3 nights"),
    ],
)
def test_a_refusal_is_no_failure_of_a_task(work, saga_id, dispatch, refusal, told):
    _, handle, heard = play(work, saga_id, dispatch, {"b": [refusal]})
    assert handle.snapshot().steps["b"].error == told
    assert [each for each in heard["b"] if "task_failure" in each or "task_success" in each] == []
    assert [each for each in heard["b"] if "ERROR" in each or "WARNING" in each] == []
    assert [each for each in heard["b"] if "task_postrun" in each and "'IGNORED'" in each]


def test_the_step_before_has_ended_when_the_next_begins(work, saga_id):
    _, _, heard = play(work, saga_id, "inline", {})
    assert set(heard) == {"a", "b", "c"}
    order = []

    def begin(task_id, **_):
        order.append((task_id, "begins"))

    def end(task_id, **_):
        order.append((task_id, "has ended"))

    signals.task_prerun.connect(begin)
    signals.task_postrun.connect(end)
    again = saga_id[::-1]
    SAGAS["inline"].start(Job(job_id=again), saga_id=again).wait(timeout=60)
    eventually(lambda: (f"{again}.3.c", "has ended") in order)
    signals.task_prerun.disconnect(begin)
    signals.task_postrun.disconnect(end)
    steps = [f"{again}.1.a", f"{again}.2.b", f"{again}.3.c"]
    ours = [each for each in order if each[0] in steps]
    assert ours == [(step, what) for step in steps for what in ("begins", "has ended")]
