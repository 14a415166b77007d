"""What a definition says by the fields of later formats: it is written down only where it is said, and read again."""

import json

import pytest
from pydantic import BaseModel, Field

from amends import Parallel, Saga, Step, UnreadableData, activity
from amends.definition.itinerary import FORMAT, Itinerary
from amends.definition.script_plan import script_plan
from tests.support.engine_saga import job_saga
from tests.support.sagas.trip import trip_saga
from tests.support.sagas.wide import each_of, wide_of

LATER = {"when", "pivot", "verification", "settle", "requires", "branches", "items", "concurrency"}


class Order(BaseModel):
    order_id: str
    gift: bool = False


class Receipt(BaseModel):
    receipt: str


class Result(BaseModel):
    order_id: str


@activity(name="later.charge")
def charge(order: Order) -> Receipt: ...
@activity(name="later.refund")
def refund(order: Order, receipt: Receipt | None) -> None: ...
@activity(name="later.find_charge")
def find_charge(order: Order) -> Receipt | None: ...


def itinerary_of(*stages):
    return Saga("later", input=Order, output=Result, steps=stages).itinerary


def step(name="a", **how):
    return Step(charge, name=name, compensation=refund, **how)


PLAIN = itinerary_of(step())


def members_of(value):
    if isinstance(value, dict):
        return set(value) | {each for member in value.values() for each in members_of(member)}
    return (
        {each for member in value for each in members_of(member)}
        if isinstance(value, list)
        else set()
    )


@pytest.mark.parametrize(
    ("itinerary", "digest"),
    [(trip_saga.itinerary, "c79dd6d9a9234af1"), (job_saga.itinerary, "3ccac5b483ba0652")],
    ids=["trip", "job"],
)
def test_a_saga_of_single_steps_has_the_digest_that_earlier_releases_gave_it(itinerary, digest):
    assert itinerary.digest == digest
    assert not members_of(json.loads(itinerary.json_text)) & LATER


def test_defaults_that_are_said_change_no_digest():
    said = itinerary_of(step(when=None, pivot=False, verify=None, settle=0.0))
    assert said.digest == PLAIN.digest


SHAPES = {
    "when": itinerary_of(step(when="input.gift")),
    "not": itinerary_of(step(when="not input.gift")),
    "pivot": itinerary_of(step(pivot=True)),
    "verify": itinerary_of(step(verify=find_charge)),
    "settle": itinerary_of(step(verify=find_charge, settle=2.5)),
    "parallel": itinerary_of(Parallel(step(), step("b"))),
    "ordered": itinerary_of(Parallel(step(), step("b"), undo="ordered")),
    "parallel when": itinerary_of(Parallel(step(), step("b"), when="input.gift")),
    "rows": itinerary_of(Parallel([step(), step("c")], step("b"))),
    "wide": wide_of("later_wide").itinerary,
    "each": each_of("later_each").itinerary,
    "each bounded": each_of("later_each", concurrency=3).itinerary,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_later_shape_read_again_is_the_same(shape):
    itinerary = SHAPES[shape]
    again = Itinerary.from_json(itinerary.json_text)
    assert again.json_text == itinerary.json_text
    assert (again.digest, script_plan(again)) == (itinerary.digest, script_plan(itinerary))
    assert again.requires == 2
    assert json.loads(itinerary.json_text)["requires"] == 2


def test_each_shape_has_a_digest_of_its_own():
    digests = {each.digest for each in SHAPES.values()} | {PLAIN.digest}
    assert len(digests) == len(SHAPES) + 1


class OfTheFirstFormat(Itinerary):
    requires: int = Field(default=1, le=1, exclude=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_reader_of_the_first_format_refuses_a_later_shape(shape):
    with pytest.raises(UnreadableData, match="a newer release of amends wrote the saga's plan"):
        OfTheFirstFormat.from_json(SHAPES[shape].json_text)


def test_a_reader_of_the_first_format_reads_what_has_no_later_shape():
    assert OfTheFirstFormat.from_json(PLAIN.json_text).digest == PLAIN.digest


def test_this_release_refuses_a_format_after_its_own():
    text = json.loads(PLAIN.json_text)
    with pytest.raises(UnreadableData, match="a newer release of amends wrote the saga's plan"):
        Itinerary.from_json(json.dumps({**text, "requires": FORMAT + 1}))
