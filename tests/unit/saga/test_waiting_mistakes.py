"""The mistakes of docs/waiting.md: each error is what the page says."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import AwareDatetime, BaseModel, ValidationError

from amends import (
    ActRefused,
    DefinitionError,
    Delay,
    Each,
    Saga,
    Schedule,
    Step,
    Wait,
    activity,
)
from amends.saga import signals
from amends.testing import Rehearsal
from tests.support.sagas.shapes import Order, act

PAGE = (Path(__file__).parents[3] / "docs" / "waiting.md").read_text(encoding="utf-8")


class Leave(BaseModel):
    begins_at: AwareDatetime


NOW = Leave(begins_at=datetime.now(UTC))


class Unzoned(BaseModel):
    begins_at: datetime


class Approval(BaseModel):
    granted_by: str


class Greeting(BaseModel):
    granted_by: str


class Result(BaseModel):
    outcome: str


@activity
def greet(greeting: Greeting) -> None: ...


def leave_of(*steps, given=Leave):
    return Saga("leave", input=given, output=Result, steps=steps)


def needed():
    softly = Wait("approval", Approval, timeout=1.0, on_timeout="continue")
    return leave_of(softly, Step(greet, compensation=None))


@pytest.mark.parametrize(
    "define",
    [
        lambda: Wait("approval", dict),
        lambda: leave_of(Delay(until="input.begins_at", name="first_day"), given=Unzoned),
        lambda: leave_of(Delay(1.0), Delay(2.0)),
        needed,
        lambda: Wait("approval", Approval, on_timeout="continue"),
        lambda: Each("input.days", Wait("approval", Approval)),
        lambda: Wait("approval", Approval, timeout=timedelta(days=1)),
    ],
    ids=["no model", "no zone", "one name", "needed", "no timeout", "each", "no number"],
)
def test_a_wrong_definition_is_told_as_the_page_has_it(define):
    with pytest.raises(DefinitionError) as raised:
        define()
    assert f"`DefinitionError: {raised.value}`" in PAGE


@pytest.mark.parametrize("wrong", ["1h", timedelta(hours=1), True])
@pytest.mark.parametrize(
    "define",
    [
        lambda wrong: Wait("approval", Approval, timeout=wrong),
        Delay,
        lambda wrong: Saga("leave", input=Leave, output=Result, steps=[Delay(1.0)], timeout=wrong),
        lambda wrong: Schedule("yearly", leave_of(Delay(1.0)), every=wrong, input=NOW),
        lambda wrong: Schedule("yearly", leave_of(Delay(1.0)), every=60, input=NOW, catch_up=wrong),
    ],
    ids=["wait", "delay", "saga", "every", "catch_up"],
)
def test_a_time_that_is_no_number_is_named(define, wrong):
    with pytest.raises(DefinitionError, match=re.escape(repr(wrong))):
        define(wrong)


def test_a_time_without_a_zone_is_no_input():
    with pytest.raises(ValidationError, match="Input should have timezone info"):
        Leave(begins_at=datetime(2026, 12, 24))  # noqa: DTZ001 - the mistake
    assert "Input should have timezone info" in PAGE


@pytest.mark.parametrize("mistake", ["aproval", "first_day", "approval", "unknown"])
def test_a_wrong_signal_is_told_as_the_page_has_it(mistake, monkeypatch):
    saga = Saga(
        "leave",
        input=Order,
        output=Result,
        steps=[
            Step(act, compensation=None),
            Wait("approval", Approval),
            Delay(1.0, name="first_day"),
            Wait("farewell", Approval),
        ],
    )
    with Rehearsal() as rehearsal:
        handle = rehearsal.run(saga, Order(job_id="leave-7"), saga_id="leave-7", within=0)
        if mistake == "approval":
            handle.signal("approval", {"granted_by": "bob"})
        if mistake == "unknown":
            monkeypatch.setattr(signals, "known_models", lambda _: {})
        anywhere = type(handle)("leave-7", dict)
        with pytest.raises(ActRefused) as raised:
            anywhere.signal("approval" if mistake == "unknown" else mistake, {"granted_by": "bob"})
    assert f"`ActRefused: {raised.value}`" in PAGE
