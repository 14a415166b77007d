"""Whose end an error is that an activity raised, and what Celery may have of it."""

import asyncio
import pickle
import signal
import threading
from dataclasses import dataclass

import billiard.common
import pytest
from billiard.einfo import ExceptionInfo
from billiard.exceptions import Terminated, WorkerLostError
from celery.app.trace import trace_ok_t
from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded

from amends import ActivityError, NotDone, Refused
from amends.activities.raised import (
    LARGEST,
    Printed,
    as_told,
    ends_process,
    for_celery,
    for_main_process,
    keep_from_celery,
)
from amends.definition.error_origin import frame_of
from amends.definition.serialization import error_json


class UnprintableError(Exception):
    def __str__(self):
        raise IndexError("no such argument")


class SilentError(Exception):
    def __repr__(self):
        raise SystemExit(2)


class UnpicklableError(Exception):
    def __reduce__(self):
        raise GeneratorExit


class DemandingError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body}")  # and pickle rebuilds it by its arguments


@dataclass(frozen=True)
class FrozenError(Exception):
    status: int


def raised(error):
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - it is any
        raise error
    return caught.value


def loop():
    error = ValueError("a loop")
    error.__cause__ = error
    return error


PLAIN = [
    ValueError("no"),
    Refused("sold out"),
    NotDone("away", 2.0),
    RecursionError("deep"),
    loop(),
]
PLAIN += [ExceptionGroup("many", [ValueError("a"), TypeError("b")]), ValueError("half \ud800")]
NOT_PLAIN = {
    "a command of Celery's": [Ignore(), Reject("no", requeue=True), Retry("again")],
    "what Celery takes for its own": [MemoryError("large"), Terminated(9), WorkerLostError("x")],
    "no Exception": [SystemExit(2), GeneratorExit(), asyncio.CancelledError(), BaseException("x")],
    "hostile": [
        UnprintableError(),
        SilentError(),
        UnpicklableError(),
        DemandingError(503, "away"),
        FrozenError(503),
    ],
    "too large": [ValueError("x" * LARGEST)],
    "raised from what is too large": [raised_from := ValueError("small")],
}
raised_from.__cause__ = ValueError("x" * LARGEST)


@pytest.mark.parametrize("error", PLAIN, ids=repr)
def test_celery_has_a_plain_error_as_it_is(error):
    assert for_celery(error) is error


@pytest.mark.parametrize(
    "error",
    [each for errors in NOT_PLAIN.values() for each in errors],
    ids=lambda e: type(e).__name__,
)
def test_for_any_other_stands_one_of_ours_with_its_name_and_its_place(error):
    stands = for_celery(raised(error))
    assert type(stands) is ActivityError
    assert stands.error_type == type(error).__name__
    assert len(repr(stands)) < 3000
    assert str(pickle.loads(pickle.dumps(stands))) == str(stands)  # noqa: S301 - our own
    assert stands.__traceback__.tb_frame.f_code.co_name == "raised"
    assert f'"type":"{type(error).__name__}"' in error_json(error)


@pytest.mark.parametrize("error", [MemoryError(), SystemExit(1), GeneratorExit()], ids=repr)
def test_nothing_that_would_end_a_worker_leaves_a_task(error):
    with pytest.raises(ActivityError, match=type(error).__name__):
        keep_from_celery(error)


@pytest.mark.parametrize("error", [Retry("again"), Reject("no"), ValueError("no")], ids=repr)
def test_what_is_meant_for_celery_leaves_it(error):
    keep_from_celery(error)


@pytest.mark.parametrize(
    "error", [SystemExit(0), asyncio.CancelledError(), GeneratorExit(), ValueError("no")], ids=repr
)
def test_what_an_activity_raises_itself_ends_no_process(error):
    assert not ends_process(raised(error))


@pytest.fixture
def terminated(monkeypatch):
    """Let SIGTERM end this process as it ends one of the pool."""
    monkeypatch.setattr(billiard.common, "_should_have_exited", [False])
    handlers = {each: signal.getsignal(each) for each in signal.valid_signals()}
    billiard.common.reset_signals()
    yield lambda: signal.raise_signal(signal.SIGTERM)
    for number, handler in handlers.items():
        if handler is not None and handler != signal.getsignal(number):
            signal.signal(number, handler)


def test_the_end_of_a_process_of_the_pool_is_no_activitys(terminated):
    with pytest.raises(SystemExit) as left:
        terminated()
    assert ends_process(left.value)
    keep_from_celery(left.value)


def test_nor_is_an_error_of_what_an_activity_does_on_the_way_out(terminated):
    def call():
        try:
            terminated()
        finally:
            raise ConnectionError("the session is closed")

    with pytest.raises(ConnectionError) as left:
        call()
    assert ends_process(left.value)


def test_ctrl_c_ends_a_process_without_a_worker_only():
    held = []
    thread = threading.Thread(target=lambda: held.append(ends_process(KeyboardInterrupt())))
    thread.start()
    thread.join()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        held.append(ends_process(KeyboardInterrupt()))
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a process of the pool
        held.append(ends_process(KeyboardInterrupt()))
    finally:
        signal.signal(signal.SIGINT, before)
    assert held == [False, True, False]


def test_a_killed_greenlet_is_the_workers_and_the_same_error_outside_of_one_the_activitys():
    greenlet = pytest.importorskip("greenlet")
    killed = []

    def run():
        try:
            greenlet.getcurrent().parent.switch()
        except greenlet.GreenletExit as error:
            killed.append(ends_process(error))

    work = greenlet.greenlet(run)
    work.switch()
    work.throw(greenlet.GreenletExit)
    assert killed == [True]
    assert not ends_process(greenlet.GreenletExit())


class Made(Exception):  # noqa: N818 - a class of an activity's
    pass


def traced(error):
    try:
        raise error
    except type(error):
        return trace_ok_t(ExceptionInfo(), "how it failed", 0.1, None)


def test_a_workers_main_process_gets_no_object_of_an_activitys():
    info, *_ = for_main_process(traced(Made("no", Made("argument"))))
    sent = pickle.dumps(info)
    texts = (repr(info.exception).encode(), info.traceback.encode())
    assert b"Made" not in sent.replace(texts[1], b"").replace(texts[0], b"")
    assert repr(pickle.loads(sent).exception) == "Made('no', Made('argument'))"  # noqa: S301 - our own
    assert "Made: (" in info.traceback


def test_nor_does_it_of_a_retry():
    info, *_ = for_main_process(traced(Retry("again", exc=Made("no"), when=3.0)))
    again = pickle.loads(pickle.dumps(info)).exception  # noqa: S301 - our own
    assert (type(again), again.when) == (Retry, 3.0)
    assert (type(again.exc), repr(again.exc)) == (Printed, "Made('no')")


@pytest.mark.parametrize("error", [Ignore(), Reject("no")], ids=repr)
def test_a_command_of_celerys_is_left_as_it_is(error):
    answer = traced(error)
    before = answer[0].exception
    assert for_main_process(answer) is answer
    assert answer[0].exception is before


def test_so_is_what_succeeded():
    answer = trace_ok_t("an output", None, 0.1, "None")
    assert for_main_process(answer) is answer


@pytest.mark.parametrize("kind", [Refused, NotDone])
def test_an_answer_that_is_alone_in_a_group_is_that_answer(kind):
    group = ExceptionGroup("of a TaskGroup", [ExceptionGroup("inside", [kind("no")])])
    told = as_told(group, limit=1.0, took=0.1)
    assert (type(told), str(told)) == (kind, "no")


def test_an_answer_among_other_errors_is_not_all_that_happened():
    group = ExceptionGroup("of a TaskGroup", [Refused("no"), OSError("away")])
    assert isinstance(as_told(group, limit=1.0, took=0.1), ExceptionGroup)


def test_the_error_of_a_time_limit_tells_where_the_time_was_spent():
    def spend():
        raise SoftTimeLimitExceeded(30.0)

    with pytest.raises(SoftTimeLimitExceeded) as caught:
        spend()
    told = as_told(caught.value, limit=30.0, took=30.0)
    assert isinstance(told, TimeoutError)
    assert frame_of(told).endswith(" spend")
