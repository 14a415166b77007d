"""Validation errors are told without the values that failed."""

import pickle
import traceback
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_core._pydantic_core import list_all_errors

from amends.definition.serialization import error_json, validation_text, why_invalid, without_values


def refuse(text):
    raise ValueError(f"{text} is no name")


def refuse_by_type(text):
    raise PydanticCustomError("no_name", f"{text} is no name")


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Patient(BaseModel):
    age: int = Field(default=1, gt=0)
    iban: str = Field(default="DE1", max_length=4)
    sex: Literal["f", "m"] = "f"
    born: str | None = None
    name: Annotated[str, AfterValidator(refuse)] = ""
    alias: Annotated[str, AfterValidator(refuse_by_type)] = ""
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] = Cat(kind="cat")
    visits: list[int] = []


def failure(**fields):
    try:
        Patient.model_validate(fields)
    except ValidationError as error:
        return error
    raise AssertionError(f"{fields} validate")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"age": "secret"}, "age: Input should be a valid integer, unable to parse string as an integer [int_parsing]"),
        ({"age": -41}, "age: Input should be greater than 0 [greater_than]"),
        ({"iban": "secret"}, "iban: String should have at most 4 characters [string_too_long]"),
        ({"sex": "secret"}, "sex: Input should be 'f' or 'm' [literal_error]"),
        ({"visits": [1, "secret"]}, "visits.1: Input should be a valid integer, unable to parse string as an integer [int_parsing]"),
        # What a validator says may quote the value, and so does the tag of a union.
        ({"name": "secret"}, "name: Value error, ... [value_error]"),
        ({"alias": "secret"}, "alias: The value is invalid [no_name]"),
        ({"pet": {"kind": "secret"}}, "pet: Input tag '...' found using 'kind' does not match any of the expected tags: 'cat', 'dog' [union_tag_invalid]"),
        (
            {"name": "secret", "age": -41},
            "age: Input should be greater than 0 [greater_than]; name: Value error, ... [value_error]",
        ),
    ],
)  # fmt: skip
def test_what_failed_is_told_without_the_value(fields, text):
    error = failure(**fields)
    assert validation_text(error) == text
    assert why_invalid(error) == text
    told = without_values(error)
    assert validation_text(told) == text
    shown = [str(told), repr(told), repr(told.errors()), repr(told.args), error_json(error)]
    shown.append("".join(traceback.format_exception(told)))
    assert [each for each in shown if "secret" in each or "-41" in each] == []


def test_it_stays_a_validation_error_with_its_place_and_traceback():
    error = failure(visits=["secret"])
    told = without_values(error)
    assert type(told) is ValidationError
    assert (told.title, told.errors()[0]["loc"]) == ("Patient", ("visits", 0))
    assert told.__traceback__ is error.__traceback__


def test_an_error_of_another_kind_stays_itself():
    error = OSError("away")
    assert without_values(error) is error
    assert why_invalid(KeyError("secret")) == "KeyError"


def raise_from_invalid(how):
    value = "sec" + "ret"  # a traceback shows this line
    try:
        Patient.model_validate({"age": value})
    except ValidationError as invalid:
        match how:
            case "from":
                raise OSError("a bad answer") from invalid
            case "after":
                raise OSError("a bad answer")  # noqa: B904 - as people do
            case "from None":
                raise OSError("a bad answer") from None


@pytest.mark.parametrize(
    ("how", "shown"), [("from", "direct cause"), ("after", "During handling"), ("from None", "")]
)
def test_the_errors_that_it_was_raised_from_are_told_without_values_too(how, shown):
    with pytest.raises(OSError, match="a bad answer") as caught:
        raise_from_invalid(how)
    text = "".join(traceback.format_exception(without_values(caught.value)))
    assert "secret" not in text
    assert ("int_parsing" in text) is (how != "from None")
    assert shown in text


@pytest.mark.parametrize("depth", [1, 3])
def test_the_errors_of_a_group_are_told_without_values_too(depth):
    with pytest.raises(OSError, match="a bad answer") as caught:
        raise_from_invalid("from")
    error = caught.value.__cause__
    for _ in range(depth):
        error = ExceptionGroup("several", [error, OSError("away")])
    told = without_values(error)
    text = "".join(traceback.format_exception(told)) + repr(told)
    assert "secret" not in text
    assert "int_parsing" in text


def test_a_group_without_such_errors_stays_itself():
    error = ExceptionGroup("several", [OSError("away")])
    assert without_values(error) is error


def test_a_long_chain_of_errors_is_cut():
    error = last = OSError("first")
    for n in range(5_000):
        last.__cause__ = last = OSError(n)
    count, at = 0, without_values(error)
    while at is not None:
        count, at = count + 1, at.__cause__
    assert count == 21


def test_every_error_of_pydantic_can_be_told():
    for each in list_all_errors():
        lines = [
            {
                "type": each["type"],
                "loc": ("a",),
                "input": "secret",
                "ctx": each.get("example_context") or {},
            }
        ]
        told = without_values(ValidationError.from_exception_data("Patient", lines))
        assert told.errors()[0]["type"] == each["type"]
        assert "secret" not in str(pickle.loads(pickle.dumps(told)))  # noqa: S301 - our own
