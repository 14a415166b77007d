"""`@activity`: what it makes of a function, and which functions and options it refuses."""

import asyncio
import runpy
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Optional

import pytest
from celery import Celery, _state
from pydantic import BaseModel, ConfigDict, Field

from amends import Activity, Compensation, DefinitionError, RetryPolicy, activity
from tests.support.app import in_process_app

if TYPE_CHECKING:
    from nowhere import Missing


class Book(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True)

    trip_id: str = Field(alias="tripId")
    nights: int = 1


class Booking(BaseModel):
    booking: str


@activity
def book(request: Book) -> Booking:
    """Book a room."""
    return Booking(booking=request.trip_id)


@activity
def cancel(request: Book, booking: Booking | None) -> None:
    """Cancel the booking."""


@activity(
    retry=RetryPolicy(max_attempts=7, initial_interval=0.5, non_retryable=(OSError,)),
    start_to_close_timeout=12.5,
    queue="hotels",
    name="hotels.book_well",
    priority=4,
    rate_limit="10/m",
    serializer="json",
)
def book_well(request: Book) -> None:
    """Book a good room."""


@activity(start_to_close_timeout=5.0)
def cancel_well(request: Book, nothing: None) -> None:
    """Cancel nothing."""


@pytest.fixture
def app():
    app = Celery("hotel", broker="memory://", set_as_current=False)
    app.finalize()
    return app


def test_a_function_of_one_model_is_an_activity():
    assert isinstance(book, Activity)
    assert (book.name, book.__doc__) == (f"{__name__}.book", "Book a room.")
    assert (book.input, book.output) == (Book, Booking)
    assert repr(book) == f"<Activity {__name__}.book>"


def test_a_function_of_a_model_and_an_output_is_a_compensation():
    assert isinstance(cancel, Compensation)
    assert (cancel.input, cancel.output) == (Book, None)
    assert repr(cancel) == f"<Compensation {__name__}.cancel>"


def test_options_do_not_change_which_of_the_two_it_is():
    assert isinstance(book_well, Activity)
    assert isinstance(cancel_well, Compensation)
    assert book_well.output is None


def test_it_is_still_the_function():
    assert book(Book(tripId="1")) == Booking(booking="1")
    assert cancel(Book(tripId="1"), None) is None


@pytest.mark.parametrize(("made", "attempts"), [(book, 3), (cancel, 20), (cancel_well, 20)])
def test_without_a_policy_an_activity_has_3_attempts_and_a_compensation_20(made, attempts):
    assert made.retry == RetryPolicy(
        max_attempts=attempts, initial_interval=1.0, backoff_coefficient=2.0, max_interval=60.0
    )


def test_without_a_limit_an_attempt_has_60_seconds():
    assert book.start_to_close_timeout == cancel.start_to_close_timeout == 60.0


def test_what_is_given_is_kept():
    assert book_well.name == "hotels.book_well"
    assert book_well.retry.max_attempts == 7
    assert book_well.start_to_close_timeout == 12.5


def test_the_plan_holds_what_a_worker_without_the_code_needs():
    assert book_well.plan({"trip_id": "input.id"}).model_dump() == {
        "task": "hotels.book_well",
        "queue": "hotels",
        "priority": 4,
        "start_to_close_timeout": 12.5,
        "max_attempts": 7,
        "initial_interval": 0.5,
        "max_interval": 60.0,
        "backoff_coefficient": 2.0,
        "jitter": 0.2,
        "inputs": {"trip_id": "input.id"},
    }
    plain = book.plan({})
    assert (plain.queue, plain.priority) == (None, None)


# The Celery task


@pytest.mark.parametrize(
    ("made", "soft", "hard"),
    [(book, 60.0, 70.0), (book_well, 12.5, 22.5), (cancel_well, 5.0, 15.0)],
)
def test_the_soft_limit_is_start_to_close_and_the_hard_one_10_s_later(app, made, soft, hard):
    task = app.tasks[made.name]
    assert (task.soft_time_limit, task.time_limit) == (soft, hard)


@pytest.mark.parametrize("made", [book, book_well, cancel])
def test_the_engine_sets_what_it_needs_on_its_own_tasks(app, made):
    task = app.tasks[made.name]
    assert task.acks_late is True
    assert task.reject_on_worker_lost is True
    assert task.acks_on_failure_or_timeout is True
    assert task.ignore_result is True
    assert task.max_retries is None
    assert task.typing is False
    assert not getattr(task, "autoretry_for", ())


def test_other_options_of_a_task_pass_through(app):
    task = app.tasks["hotels.book_well"]
    assert (task.rate_limit, task.serializer) == ("10/m", "json")
    assert app.tasks[book.name].rate_limit is None


@pytest.mark.parametrize(
    ("option", "end"),
    [
        ("start_to_close", ", did you mean 'start_to_close_timeout'?"),
        ("retries", ", did you mean 'retry'?"),
        ("rate_limits", ", did you mean 'rate_limit'?"),
        ("colour", ""),
        ("delay", ""),
    ],
)
def test_an_unknown_option_is_refused(option, end):
    def stay(request: Book) -> None: ...

    with pytest.raises(DefinitionError) as caught:
        activity(**{option: 1})(stay)
    expected = f"{__name__}.stay: {option}= is no option of an activity, nor of a Celery task{end}"
    assert str(caught.value) == expected


def test_queue_and_priority_are_options_of_each_message(app, monkeypatch):
    # As attributes of the task, Celery 5.7 warns of them.
    sent = []
    monkeypatch.setattr(app, "send_task", lambda *_, **options: sent.append(options))
    task = app.tasks["hotels.book_well"]
    task.apply_async([{"trip_id": "1"}])
    task.apply_async([{"trip_id": "1"}], queue="other")
    assert [(each["queue"], each["priority"]) for each in sent] == [("hotels", 4), ("other", 4)]


def test_the_task_has_the_functions_words(app):
    assert app.tasks[book.name].__doc__ == "Book a room."
    assert app.tasks[book.name].__name__ == "book"


OWNED = [
    ("base", object, "the engine's own class"),
    ("bind", True, "the function takes its model alone; amends.context() tells the rest"),
    ("acks_late", False, "always on"),
    ("reject_on_worker_lost", False, "always on"),
    ("acks_on_failure_or_timeout", False, "always on"),
    ("ignore_result", False, "always on; the saga log keeps outputs"),
    ("autoretry_for", (OSError,), "retry=RetryPolicy(...) decides"),
    ("dont_autoretry_for", (OSError,), "retry=RetryPolicy(non_retryable=...) decides"),
    ("retry_backoff", True, "retry=RetryPolicy(...) decides"),
    ("retry_backoff_max", 5, "retry=RetryPolicy(max_interval=...) decides"),
    ("retry_jitter", False, "retry=RetryPolicy(jitter=...) decides"),
    ("retry_kwargs", {}, "retry=RetryPolicy(...) decides"),
    ("max_retries", 3, "retry=RetryPolicy(max_attempts=...) decides"),
    ("default_retry_delay", 3, "retry=RetryPolicy(...) decides"),
    ("soft_time_limit", 3, "start_to_close_timeout= is the limit"),
    ("time_limit", 3, "it is amends_hard_limit_after past start_to_close_timeout="),
    ("on_failure", "continue", "Step(..., on_failure=) says what a failure means for its saga"),
    ("typing", True, "a message carries ids, not the function's arguments"),
    ("pydantic", True, "always on; the function's annotations are the models"),
]


@pytest.mark.parametrize(("option", "value", "reason"), OWNED)
def test_an_option_that_the_engine_owns_is_refused_with_the_reason(option, value, reason):
    def stay(request: Book) -> None: ...

    with pytest.raises(DefinitionError) as caught:
        activity(**{option: value})(stay)
    assert str(caught.value) == f"{__name__}.stay: {option}= is the engine's: {reason}"


@pytest.mark.parametrize("limit", [0, -1.0, float("nan"), float("inf"), "1", timedelta(1)])
def test_a_limit_that_is_no_time_is_refused(limit):
    def stay(request: Book) -> None: ...

    with pytest.raises(DefinitionError) as caught:
        activity(start_to_close_timeout=limit)(stay)
    assert str(caught.value) == (
        f"{__name__}.stay: start_to_close_timeout is {limit!r}, not a time in seconds"
    )


# Functions


def takes_nothing() -> Booking: ...
def takes_three(request: Book, booking: Booking | None, more: Booking) -> None: ...
def takes_what(request) -> Booking: ...
def gives_what(request: Book): ...
def undoes_what(request: Book, booking) -> None: ...
def takes_text(request: str) -> Booking: ...
def takes_perhaps(request: Book | None) -> Booking: ...
def gives_text(request: Book) -> str: ...
def undoes_for_sure(request: Book, booking: Booking) -> None: ...
def undoes_text(request: Book, booking: str | None) -> None: ...
def undoes_many(request: Book, booking: list[Booking]) -> None: ...
def undoes_either(request: Book, booking: Booking | Book | None) -> None: ...
def undoes_and_gives(request: Book, booking: Booking | None) -> Booking: ...
def takes_the_missing(request: "Missing") -> Booking: ...
async def takes_its_time_and_yields(request: Book) -> Booking:
    yield


def yields(request: Book) -> Booking:
    yield


FUNCTIONS = [
    (takes_nothing, ": an activity is a function of one pydantic model .*; annotate each"),
    (takes_three, ": an activity is .*, a compensation one of .*; annotate each"),
    (takes_what, ": .*; annotate each"),
    (gives_what, ": .*; annotate each"),
    (undoes_what, ": .*; annotate each"),
    (takes_text, ": request is <class 'str'>, no pydantic model"),
    (takes_perhaps, ": request is .*Book | None, no pydantic model"),
    (gives_text, " returns <class 'str'>, no pydantic model"),
    (undoes_for_sure, ": booking is .*Booking'>, not a pydantic model or None"),
    (undoes_text, ": booking is .*, not a pydantic model or None"),
    (undoes_many, ": booking is .*, not a pydantic model or None"),
    (undoes_either, ": booking is .*, not a pydantic model or None"),
    (undoes_and_gives, " returns .*Booking'>; a compensation returns None"),
    (takes_the_missing, ": name 'Missing' is not defined, which an annotation says: import it"),
    (takes_its_time_and_yields, " yields, so that a call of it does nothing yet"),
    (yields, " yields, so that a call of it does nothing yet"),
]


@pytest.mark.parametrize(
    ("function", "message"), FUNCTIONS, ids=[each.__name__ for each, _ in FUNCTIONS]
)
def test_a_function_that_is_no_activity_is_refused_with_what_it_should_be(function, message):
    with pytest.raises(DefinitionError, match=f"^{__name__}.{function.__name__}{message}"):
        activity(function)


@pytest.mark.parametrize(
    "annotation",
    [Optional[Booking], Booking | None, None, Annotated[Booking | None, "undone"]],  # noqa: UP045
)
def test_what_is_undone_may_be_said_in_any_spelling(annotation):
    def undo(request: Book, booking: annotation) -> None: ...

    assert isinstance(activity(name=f"undo {annotation}")(undo), Compensation)


# Coroutines


async def takes_its_time(request: Book) -> Booking: ...
async def finds_in_its_time(request: Book) -> Booking | None: ...
async def undoes_in_its_time(request: Book, booking: Booking | None) -> None: ...
async def gives_text_in_its_time(request: Book) -> str: ...


@pytest.mark.parametrize(
    ("function", "kind", "attempts"),
    [
        (takes_its_time, Activity, 3),
        (finds_in_its_time, Activity, 20),
        (undoes_in_its_time, Compensation, 20),
    ],
)
def test_a_coroutine_function_is_an_activity_as_any_other(function, kind, attempts):
    made = activity(function)
    assert isinstance(made, kind)
    assert (made.is_async, made.retry.max_attempts, made.name) == (
        True,
        attempts,
        f"{__name__}.{function.__name__}",
    )


def test_what_a_coroutine_returns_is_held_to_its_annotation():
    with pytest.raises(DefinitionError, match="returns <class 'str'>, no pydantic model"):
        activity(gives_text_in_its_time)


def test_a_call_of_an_async_activity_here_returns_its_coroutine():
    @activity(name="is awaited")
    async def is_awaited(request: Book) -> Booking:
        return Booking(booking=request.trip_id)

    assert asyncio.run(is_awaited(Book(tripId="1"))) == Booking(booking="1")


# Calls


@pytest.mark.parametrize(
    ("argument", "sent"),
    [
        (Book(tripId="1", nights=2), {"trip_id": "1", "nights": 2}),
        ({"trip_id": "1"}, {"trip_id": "1"}),
    ],
)
def test_a_signature_carries_json_data(argument, sent):
    signature = book.s(argument)
    assert signature.task == f"{__name__}.book"
    assert signature.args == ([sent] if isinstance(signature.args, list) else (sent,))


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (
            (Book(tripId="1"), Booking(booking="2")),
            [{"trip_id": "1", "nights": 1}, {"booking": "2"}],
        ),
        (({"trip_id": "1"}, None), [{"trip_id": "1"}, None]),
    ],
)
def test_delay_queues_a_call_on_its_own(monkeypatch, arguments, sent):
    queued = []
    monkeypatch.setattr(cancel.task, "apply_async", lambda **call: queued.append(call))
    cancel.delay(*arguments)
    cancel.apply_async(arguments, countdown=3, queue="slow")
    assert queued == [{"args": sent}, {"args": sent, "countdown": 3, "queue": "slow"}]


SCRIPT = """
from celery import Celery
from pydantic import BaseModel

from amends import activity

if MAKES_APP:
    app = Celery("trips", broker="memory://")


class Trip(BaseModel):
    city: str


@activity
def book(trip: Trip) -> None: ...
"""


@pytest.mark.parametrize(("makes_app", "name"), [(True, "trips.book"), (False, "__main__.book")])
def test_an_activity_of_a_script_that_is_run_has_the_name_that_celery_gives(
    tmp_path, makes_app, name
):
    script = tmp_path / "trips.py"
    script.write_text(SCRIPT)
    with in_process_app("others"):
        _state._set_current_app(None)  # noqa: SLF001 - as a script finds it
        found = runpy.run_path(str(script), {"MAKES_APP": makes_app}, run_name="__main__")
        assert found["book"].name == name
        if makes_app:
            assert found["app"].tasks[name].name == name
            assert found["app"].gen_task_name("book", "__main__") == name
