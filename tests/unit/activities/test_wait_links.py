"""Links that an activity makes to the waits of its saga."""

import time
from functools import cache, partial

import pytest
from celery import Celery
from pydantic import BaseModel, ValidationError

from amends import ConfigurationError, Delay, Saga, Step, Wait, activity, context
from amends.activities.context import Context
from amends.activities.wait_links import LASTS, WaitLinks
from amends.backend.celery_apps import current
from amends.definition.wait_token import WaitLink
from tests.support.call_context import entered

KEY, NEXT_KEY = "k" * 32, "n" * 32


class Request(BaseModel):
    text: str = ""


class Choice(BaseModel):
    granted: bool
    note: str = ""


class Seen(BaseModel):
    by_chance: bool = True


class Foreign(BaseModel):
    day: int


@activity
def ask(request: Request) -> None:
    """Call nothing: the tests are in its context."""


saga = Saga(
    "linked",
    input=Request,
    output=Request,
    outputs={"text": "input.text"},
    steps=[
        Step(ask, compensation=None),
        Wait("choice", Choice, timeout=3600.0),
        Wait("seen", Seen),
        Delay(1.0),
    ],
)


@pytest.fixture
def app():
    """Give an app that is current, with its links set up."""
    app = Celery("linked", broker="memory://", set_as_current=False)
    app.conf.update(
        amends_backend="redis://127.0.0.1:1/0",
        amends_http_url="https://shop.example/links/",
        amends_http_key=[KEY, NEXT_KEY],
    )
    with current(app):
        yield app


@pytest.fixture
def attempt(app):
    """Return a way to be in an attempt at ``ask`` of a saga."""

    def enter(saga_id="s-1", itinerary=saga.itinerary, number=1):
        key = f"{saga_id}:ask"
        made = Context(
            saga_id=saga_id,
            step="ask",
            attempt=number,
            deadline=9.0,
            idempotency_key=key,
            links=cache(partial(WaitLinks, itinerary, saga_id, made_by=key)),
        )
        return entered(made)

    return enter


def read(url, keys=(KEY,)):
    assert url.startswith("https://shop.example/links/")
    link = WaitLink.read(url.rpartition("/")[2], keys)
    assert link
    return link


def test_a_link_has_the_signal_its_giver_and_the_sagas_id(attempt):
    with attempt():
        link = read(context().wait_url("choice", Choice(granted=True), by="ada@shop.example"))
    assert (link.saga, link.saga_id, link.wait) == ("linked", "s-1", "choice")
    assert link.value == {"granted": True, "note": ""}
    assert link.by == "ada@shop.example"


def test_the_first_key_signs(attempt):
    with attempt():
        url = context().wait_url("seen")
    assert read(url, [KEY])
    assert WaitLink.read(url.rpartition("/")[2], [NEXT_KEY]) is None


@pytest.mark.parametrize(
    ("name", "expires", "lasts"),
    [
        ("choice", None, 3600.0),
        ("seen", None, LASTS),
        ("choice", 60.0, 60.0),
        ("seen", 1e300, 100 * 365 * 86400.0),
    ],
)
def test_it_expires_with_the_wait_or_when_it_is_told_to(attempt, name, expires, lasts):
    before = time.time()
    with attempt():
        link = read(
            context().wait_url(
                name, {"granted": True} if name == "choice" else None, expires=expires
            )
        )
    assert before + lasts - 1 <= link.expires_at <= time.time() + lasts + 1


def test_an_attempt_that_is_repeated_makes_the_same_signals_links_again(attempt):
    def make(number):
        with attempt(number=number):
            to = [context().wait_url("choice", Choice(granted=True)) for _ in range(2)]
            to += [context().wait_url("choice", Choice(granted=False)), context().wait_url("seen")]
            to += [context().wait_url("seen", by="ada"), context().wait_url("seen", by="bob")]
            return [read(url).signal_id for url in to]

    first = make(1)
    assert len(set(first)) == 6
    assert make(2) == first


def test_the_links_of_each_saga_are_its_own(attempt):
    def make(saga_id):
        with attempt(saga_id):
            return read(context().wait_url("seen")).signal_id

    assert make("s-1") != make("s-2")


# What is wrong is told


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("chioce", "saga linked waits for no chioce, did you mean 'choice'?"),
        ("ask", "saga linked waits for no ask; it waits for choice, seen"),
        ("delay", "saga linked waits for no delay; it waits for choice, seen"),
    ],
)
def test_a_name_that_the_saga_does_not_wait_for(attempt, name, said):
    with attempt(), pytest.raises(ValueError, match="waits for no") as caught:
        context().wait_url(name)
    assert str(caught.value) == said


def test_a_signal_that_is_not_given_has_to_be_made_of_nothing(attempt):
    with attempt():
        assert read(context().wait_url("seen")).value == {"by_chance": True}
        with pytest.raises(ValueError, match="give the signal that the link means, a Choice"):
            context().wait_url("choice")


@pytest.mark.parametrize("value", [{"granted": "perhaps"}, {}, Foreign(day=1), [1]])
def test_a_signal_of_another_shape(attempt, value):
    with attempt(), pytest.raises(ValidationError):
        context().wait_url("choice", value)


@pytest.mark.parametrize("expires", [0, -1.0, float("inf"), float("nan")])
def test_an_expiry_that_is_none(attempt, expires):
    with attempt(), pytest.raises(ValueError, match=r"expires is .*, not a time in seconds"):
        context().wait_url("seen", expires=expires)


def test_a_signal_that_is_too_long_for_a_link(attempt):
    with (
        attempt(),
        pytest.raises(ValueError, match=r"the link has 2,\d+ characters, and may have 2,000"),
    ):
        context().wait_url("choice", Choice(granted=True, note="x" * 2000))


def test_where_the_sagas_definition_is_not_known_a_model_is_trusted_and_data_is_not(attempt):
    foreign = saga.itinerary.model_copy(update={"saga": "defined_elsewhere"})
    with attempt(itinerary=foreign):
        assert read(context().wait_url("choice", Choice(granted=True))).value["granted"] is True
        for value in (None, {"granted": True}):
            with pytest.raises(ValueError, match="has no definition of saga defined_elsewhere"):
                context().wait_url("choice", value)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            "amends_http_url",
            "amends_http_url is not set in Celery's configuration: set it to the public URL",
        ),
        (
            "amends_http_key",
            "amends_http_key is not set in Celery's configuration: set it to a secret",
        ),
    ],
)
def test_a_missing_setting(app, attempt, setting, said):
    app.conf[setting] = None
    with attempt(), pytest.raises(ConfigurationError) as caught:
        context().wait_url("seen")
    assert str(caught.value).startswith(said)
    assert KEY not in str(caught.value)


def test_without_a_saga_there_is_nothing_to_wait(app):
    called = []

    @activity(name="tests.unit.called_alone")
    def call_alone(request: Request) -> None:
        try:
            context().wait_url("seen")
        except RuntimeError as error:
            called.append(str(error))

    call_alone.task.apply(args=[{}])
    assert called == [
        "amends.context().wait_url is for the inside of an activity that a saga calls"
    ]
