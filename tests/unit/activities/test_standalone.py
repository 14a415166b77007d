"""An activity's task outside of any saga: its context, its retries, and where its messages go."""

import signal
import time
from asyncio import CancelledError
from collections import defaultdict

import pytest
from celery import Celery, current_app
from pydantic import BaseModel

from amends import ActivityError, CircuitBreaker, NotDone, Refused, RetryPolicy, activity, context

QUICK = RetryPolicy(max_attempts=3, initial_interval=0.0, jitter=0.0, non_retryable=(KeyError,))


class Ask(BaseModel):
    who: str
    failures: int = 0


class Answer(BaseModel):
    text: str


class NoSuchPerson(Refused):
    pass


ERRORS = {"cut": OSError, "key": KeyError, "away": NotDone, "refused": NoSuchPerson}
calls = defaultdict(list)


@activity(retry=QUICK, start_to_close_timeout=20.0, queue="people")
def ask(request: Ask) -> Answer:
    current = context()
    calls[current.idempotency_key].append(current)
    if len(calls[current.idempotency_key]) <= request.failures:
        raise ERRORS[request.who]("no")
    return Answer(text=f"hello {request.who}")


@activity(retry=QUICK)
def forget(request: Ask, answer: Answer | None) -> None:
    calls[context().idempotency_key].append((request, answer))


people = CircuitBreaker("people", failure_on=(OSError,))


@activity(start_to_close_timeout=20.0, breaker=people)
def ask_with_care(request: Ask) -> Answer:
    return Answer(text=f"hello {request.who}")


@activity
def misbehave(request: Ask) -> Answer:
    return f"hello {request.who}"


@activity(retry=QUICK)
def undo_blindly(request: Ask, answer: Answer | None) -> None:
    _ = context().undoes


@pytest.fixture(autouse=True)
def app():
    """Give an app that sends nothing anywhere, current for one test."""
    before = current_app._get_current_object()
    app = Celery("people", broker="memory://")
    app.finalize()
    calls.clear()
    yield app
    before.set_current()


def test_it_runs_the_function_on_the_model_and_returns_json_data():
    result = ask.task.apply(args=[{"who": "Ann"}])
    assert result.get() == {"text": "hello Ann"}


def test_its_context_has_the_tasks_id_as_key_and_no_saga():
    before = time.time()
    ask.task.apply(args=[{"who": "Ann"}], task_id="task-1").get()
    (current,) = calls["task-1"]
    assert (current.saga_id, current.step, current.undone) == (None, None, None)
    assert (current.attempt, current.idempotency_key) == (1, "task-1")
    assert before + 20.0 <= current.deadline <= time.time() + 20.0


@pytest.mark.parametrize("who", ["cut", "away"])
def test_a_failed_attempt_is_followed_by_the_next_under_the_same_key(who):
    result = ask.task.apply(args=[{"who": who, "failures": 2}], task_id="task-2")
    assert result.get() == {"text": f"hello {who}"}
    assert [call.attempt for call in calls["task-2"]] == [1, 2, 3]


def test_when_the_attempts_are_spent_the_last_error_stands():
    result = ask.task.apply(args=[{"who": "cut", "failures": 3}], task_id="task-3")
    assert (result.state, len(calls["task-3"])) == ("FAILURE", 3)
    with pytest.raises(OSError, match="no"):
        result.get()


@pytest.mark.parametrize(("who", "error"), [("refused", NoSuchPerson), ("key", KeyError)])
def test_a_refusal_or_a_non_retryable_error_is_not_tried_again(who, error):
    result = ask.task.apply(args=[{"who": who, "failures": 1}], task_id="task-4")
    with pytest.raises(error):
        result.get()
    assert len(calls["task-4"]) == 1


def test_the_wait_is_the_policys_or_what_the_service_asked_for(monkeypatch):
    waits = []

    def retry(*, exc, countdown, headers):
        waits.append(countdown)
        return exc

    @activity(name="people.wait", retry=RetryPolicy(initial_interval=2.0, jitter=0.0))
    def wait(request: Ask) -> None:
        raise NotDone("away", retry_after=float(request.failures))

    monkeypatch.setattr(type(wait.task._get_current_object()), "retry", staticmethod(retry))
    for failures in (1, 7):
        wait.task.apply(args=[{"who": "Ann", "failures": failures}])
    assert waits == [2.0, 7.0]


@pytest.mark.parametrize("request_data", [{"who": 1}, {}, {"who": "Ann", "failures": "many"}])
def test_an_input_that_does_not_validate_never_reaches_the_function(request_data):
    result = ask.task.apply(args=[request_data], task_id="task-5")
    assert result.state == "FAILURE"
    assert type(result.result).__name__ == "ValidationError"
    assert calls == {}


def test_an_output_that_is_not_what_was_promised_is_an_error(monkeypatch):
    monkeypatch.setattr(misbehave, "retry", RetryPolicy(max_attempts=1))
    result = misbehave.task.apply(args=[{"who": "Ann"}])
    assert type(result.result).__name__ == "ValidationError"


@pytest.mark.parametrize(
    ("output", "given"), [({"text": "hello"}, Answer(text="hello")), (None, None)]
)
def test_a_compensation_gets_the_input_and_the_output_or_none(output, given):
    forget.task.apply(args=[{"who": "Ann"}, output], task_id="task-6").get()
    assert calls["task-6"] == [(Ask(who="Ann"), given)]


def test_outside_of_a_saga_a_compensation_undoes_nothing_that_it_could_ask_for():
    with pytest.raises(RuntimeError, match="in a saga"):
        undo_blindly.task.apply(args=[{"who": "Ann"}, None]).get()


# Messages


@pytest.fixture
def sent(monkeypatch):
    """Give the messages that are sent, as name, arguments and options."""
    messages = []

    def send(name, args=None, kwargs=None, **options):
        messages.append((name, args, kwargs, options))

    monkeypatch.setattr("celery.app.base.Celery.send_task", lambda _, *a, **k: send(*a, **k))
    return messages


def test_a_call_goes_to_the_activitys_queue_unless_told_otherwise(sent):
    ask.delay(Ask(who="Ann"))
    ask.apply_async(({"who": "Ann"},), queue="slow")
    forget.delay({"who": "Ann"}, None)
    assert [options.get("queue") for *_, options in sent] == ["people", "slow", None]
    assert sent[0][:3] == (ask.name, [{"who": "Ann", "failures": 0}], None)


def test_a_step_of_a_saga_is_sent_as_the_sagas_child(sent):
    ask.task.apply_async(kwargs={"saga_id": "order-1", "step": "ask"}, parent_id="order-1.0.before")
    ((*_, options),) = sent
    assert (options["root_id"], options["parent_id"]) == ("order-1", "order-1")


def test_a_call_on_its_own_is_nobodys_child(sent):
    ask.delay({"who": "Ann"})
    ((*_, options),) = sent
    assert not options.get("root_id")
    assert not options.get("parent_id")


def test_a_circuit_breaker_waits_for_a_call_until_it_would_be_killed(app, monkeypatch):
    app.conf.amends_backend = "memory://people"
    acquire, leases = CircuitBreaker.acquire, []

    def note(self, *, token, lease):
        leases.append(lease)
        return acquire(self, token=token, lease=lease)

    monkeypatch.setattr(CircuitBreaker, "acquire", note)
    ask_with_care.task.apply(args=[{"who": "ada"}], throw=True)
    assert leases[0] > app.tasks[ask_with_care.name].time_limit == 30.0


@activity(retry=QUICK)
def leave(request: Ask) -> Answer:
    calls[request.who].append(context().attempt)
    raise LEAVING[request.who]


LEAVING = {"exit": SystemExit(2), "memory": MemoryError("full"), "cancel": CancelledError()}


@pytest.mark.parametrize("who", LEAVING)
def test_what_is_no_error_to_celery_is_tried_again_and_fails_as_one(who):
    failed = leave.task.apply(args=[{"who": who}])
    assert (type(failed.result), failed.state) == (ActivityError, "FAILURE")
    assert failed.result.error_type == type(LEAVING[who]).__name__
    assert calls[who] == [1, 2, 3]


def test_ctrl_c_ends_an_eager_call():
    LEAVING["ctrl-c"] = KeyboardInterrupt()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            leave.task.apply(args=[{"who": "ctrl-c"}])
    finally:
        signal.signal(signal.SIGINT, before)
