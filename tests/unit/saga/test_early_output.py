"""The output of a saga that has no outcome yet."""

import pickle
from datetime import date
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from amends.saga.output import build_early

PATHS = {"outcome": "saga.outcome", "day": "input.day", "room": "book_room.room"}
FIELDS = {"outcome": None, "day": "2026-05-01", "room": None}


class Stay(BaseModel):
    model_config = ConfigDict(frozen=True)

    outcome: Literal["completed", "full"] = Field(alias="result")
    day: date
    room: str | None

    @field_validator("room")
    @classmethod
    def _in_capitals(cls, room: str | None) -> str | None:
        return room and room.upper()


class Optional(BaseModel):
    outcome: str | None
    day: date


class Strict(BaseModel):
    outcome: str
    day: date

    @model_validator(mode="after")
    def _know_the_outcome(self):
        assert self.outcome.islower()
        return self


def test_the_outcome_is_none_whatever_its_type_and_the_rest_is_validated():
    stay = build_early(Stay, PATHS, FIELDS | {"room": "12b"})
    assert type(stay) is Stay
    assert (stay.outcome, stay.day, stay.room) == (None, date(2026, 5, 1), "12B")


def test_it_is_an_instance_like_others():
    stay = build_early(Stay, PATHS, FIELDS)
    assert stay == build_early(Stay, PATHS, FIELDS)
    assert pickle.loads(pickle.dumps(stay)) == stay  # noqa: S301 - its own
    assert stay.model_dump(mode="json") == FIELDS


def test_a_model_that_allows_none_is_built_as_ever():
    early = build_early(Optional, PATHS, FIELDS)
    assert early == Optional(outcome=None, day=date(2026, 5, 1))


@pytest.mark.parametrize("wrong", [{"day": None}, {"room": 12}])
def test_another_field_is_held_to_its_type(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        build_early(Stay, PATHS, FIELDS | wrong)


def test_a_model_without_the_outcome_is_held_to_its_types():
    with pytest.raises(ValidationError, match="day"):
        build_early(Optional, {"day": "input.day"}, {"outcome": None, "day": None})


def test_a_validator_that_needs_the_outcome_raises():
    with pytest.raises(AttributeError):
        build_early(Strict, PATHS, FIELDS)
