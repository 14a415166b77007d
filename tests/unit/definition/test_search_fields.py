"""Search fields: which a saga may have, and what it is found by."""

from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, RootModel

from amends import DefinitionError, Saga, Step
from amends.definition.itinerary import Itinerary
from amends.definition.search_fields import LONGEST_VALUE, entries_for, entries_of, parted
from tests.support.sagas.parcel import (
    SEARCH,
    Parcel,
    ParcelResult,
    pack_parcel,
    parcel_saga,
    parcels,
)

Name = NewType("Name", str)


class Colour(StrEnum):
    RED = "red"


class Floor(IntEnum):
    GROUND = 0


class Weird(Enum):
    PAIR = (1, 2)


class Code(RootModel[str]):
    pass


class Address(BaseModel):
    city: str


class Good(BaseModel):
    text: str
    named: Name
    annotated: Annotated[str, Field(max_length=3)]
    number: int
    flag: bool
    price: Decimal
    share: float
    key: UUID
    colour: Colour
    floor: Floor
    choice: Literal["a", 1] | None
    code: Code
    maybe: str | None
    either: int | str


class Bad(BaseModel):
    address: Address
    many: list[str]
    raw: bytes
    at: datetime
    anything: Any
    weird: Weird
    nothing: None


def check(search, model=Good):
    return Saga(
        "found",
        input=model,
        output=ParcelResult,
        outputs={"size": "input.size"},
        steps=[Step(pack_parcel, compensation=None)],
        search=search,
    )


def refused(search, match, model=Parcel):
    with pytest.raises(DefinitionError, match=match) as raised:
        Saga(
            "found",
            input=model,
            output=ParcelResult,
            steps=[Step(pack_parcel, compensation=None)],
            search=search,
        )
    assert str(raised.value).startswith("saga 'found'")


@pytest.mark.parametrize("field", Good.model_fields)
def test_a_text_or_a_number_may_be_a_search_field(field):
    class Named(Parcel, Good):
        pass

    saga = check({"name": f"input.{field}"}, Named)
    assert saga.itinerary.search == {"name": f"input.{field}"}


@pytest.mark.parametrize("field", Bad.model_fields)
def test_what_is_no_text_or_number_is_refused(field):
    class Named(Parcel, Bad):
        pass

    refused({"name": f"input.{field}"}, rf"input\.{field}, which is no text or number", Named)


@pytest.mark.parametrize(
    ("search", "match"),
    [
        ({"customer": "input.custmer"}, r"names no field of Parcel, did you mean 'customer'\?"),
        ({"customer": "input.size.name"}, "names no field of Parcel"),
        ({"customer": "customer"}, "names 'customer', which is not the input"),
        ({"customer": "pack_parcel.customer"}, "names 'pack_parcel', which is not the input"),
        ({"the customer": "input.customer"}, "'the customer'; a name is letters, digits and _"),
        ({"größe": "input.customer"}, "a name is letters, digits and _"),
        ({"": "input.customer"}, "a name is letters, digits and _"),
        ({"limit": "input.customer"}, "'limit', which is an argument of amends.find"),
        ({f"name_{n}": "input.customer" for n in range(6)}, "has 6 fields, and .* 5 at most"),
        ({"customer": 1}, "search= is a dict"),
        (["customer"], "search= is a dict"),
    ],
)
def test_a_wrong_search_field_is_refused(search, match):
    refused(search, match)


def test_five_fields_may_have_one_path():
    assert parcels("five", search={f"name_{n}": "input.customer" for n in range(5)})


def test_a_definition_without_search_fields_is_written_as_before_there_were_any():
    plain = parcels("parcel").itinerary
    assert '"search"' not in plain.json_text
    assert plain.digest == "448c6b618716db40"
    assert parcel_saga.itinerary.digest != plain.digest


def test_search_fields_are_in_the_definition_as_data_and_ask_for_no_newer_reader():
    again = Itinerary.from_json(parcel_saga.itinerary.json_text)
    assert again.search == SEARCH
    assert again == parcel_saga.itinerary
    assert '"requires"' not in parcel_saga.itinerary.json_text


def entry(value):
    """Return the entry of a value of the only search field, ``v``."""
    model = type("Holder", (BaseModel,), {"__annotations__": {"field": Any}})
    (told,) = entries_of({"v": "input.field"}, model(field=value), what="the input")
    return told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("ada", "v:t3:ada:"),
        ("Ada ", "v:t4:Ada :"),
        ("a=b:c\n\0;", "v:t8:a=b:c\n\0;:"),
        ("", "v:t0::"),
        ("æ", "v:t2:æ:"),
        ("e\u0301", "v:t2:é:"),
        (UUID(int=1), "v:t36:00000000-0000-0000-0000-000000000001:"),
        (True, "v:t4:true:"),
        (False, "v:t5:false:"),
        (Colour.RED, "v:t3:red:"),
        (Floor.GROUND, "v:n1:0:"),
        (Code("x"), "v:t1:x:"),
        (42, "v:n2:42:"),
        (-42, "v:n3:-42:"),
        (100, "v:n3:100:"),
        (Decimal("17.50"), "v:n4:17.5:"),
        (Decimal("1E+2"), "v:n3:100:"),
        (Decimal("-0.00"), "v:n1:0:"),
        (1e22, "v:n23:10000000000000000000000:"),
        (0.1, "v:n3:0.1:"),
        (Decimal("1E+999999"), "v:n9:1E+999999:"),
        (None, ""),
    ],
)
def test_a_value_has_one_entry_by_which_it_is_found(value, told):
    assert entry(value) == told
    if value is not None:
        assert told in entries_for("v", value)
        assert parted(told + told + "w:t1:x:") == {told, "w:t1:x:"}


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("42", 42),
        (42, "42"),
        ("17.50", Decimal("17.5")),
        (17.5, Decimal("17.50")),
        ("1e2", 100),
        ("+5", 5),
        ("true", True),
        (Colour.RED, "red"),
        ("00000000-0000-0000-0000-000000000001", UUID(int=1)),
    ],
)
def test_a_number_is_found_however_it_is_written(value, stored):
    assert entry(stored) in entries_for("v", value)


@pytest.mark.parametrize(
    ("value", "stored"),
    [("ada", "Ada"), ("ada", " ada"), ("1.50", "1.5"), ("4", 42), ("a", "a:"), ("False", False)],
)
def test_a_text_is_found_as_it_was_given_alone(value, stored):
    assert entry(stored) not in entries_for("v", value)


def test_a_value_that_is_too_long_is_refused_with_field_place_and_remedy():
    assert entry("æ" * LONGEST_VALUE)
    with pytest.raises(
        ValueError, match=r"the input: field has 129 characters.* 128 at most"
    ) as told:
        entry("x" * 129)
    assert "shorten it, or take 'v' out of the saga's search=" in str(told.value)
    assert "xxx" not in str(told.value)
    with pytest.raises(ValueError, match="v has 129 characters"):
        entries_for("v", "x" * 129)


def test_what_no_saga_is_found_by_cannot_be_looked_for():
    for value in (None, ["ada"], b"ada"):
        with pytest.raises(TypeError, match="a saga is found by a text or a number"):
            entries_for("v", value)
    with pytest.raises(ValueError, match="no search field"):
        entries_for("v:t1", "x")
    with pytest.raises(ValueError, match="half a surrogate"):
        entries_for("v", "\udcff")
