"""Where the fields of a step's input come from, and which definitions are refused."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Optional, TypedDict, Union
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, EmailStr, Field, JsonValue, RootModel

from amends import DefinitionError
from amends.definition.compatibility import accepts
from amends.definition.input_mapping import map_inputs


class Item(BaseModel):
    product_id: str
    quantity: int


class OrderItem(Item):
    price: Decimal


class Order(BaseModel):
    order_id: str
    items: list[OrderItem]
    total_amount: Decimal
    note: str | None = None


class Reservation(BaseModel):
    reservation_id: str
    order_id: str


MODELS = {"input": Order, "reserve": Reservation}


def wired(target, **declared):
    return map_inputs(target, declared, MODELS, where="saga 'order', step 'ship'")


def refusal(target, **declared):
    with pytest.raises(DefinitionError) as caught:
        wired(target, **declared)
    return str(caught.value)


def test_a_field_is_filled_by_its_name_from_whoever_has_it():
    class Ship(BaseModel):
        items: list[Item]
        reservation_id: str

    assert wired(Ship) == {
        "items": "input.items",
        "reservation_id": "reserve.reservation_id",
    }


def test_a_declared_path_goes_before_the_name():
    class Ship(BaseModel):
        order_id: str
        amount: Decimal

    assert wired(Ship, order_id="reserve.order_id", amount="input.total_amount") == {
        "order_id": "reserve.order_id",
        "amount": "input.total_amount",
    }


def test_a_field_is_found_by_its_name_not_by_its_alias():
    class Ship(BaseModel):
        reservation_id: str = Field(alias="order_id")

    assert wired(Ship) == {"reservation_id": "reserve.reservation_id"}


def test_a_default_is_left_alone_where_nothing_has_the_name():
    class Ship(BaseModel):
        reservation_id: str
        express: bool = False

    assert wired(Ship) == {"reservation_id": "reserve.reservation_id"}


def test_a_default_gives_way_where_something_has_the_name():
    class Ship(BaseModel):
        note: str | None = "none"

    assert wired(Ship) == {"note": "input.note"}


class NeedsOrderId(BaseModel):
    order_id: str


class NeedsTotal(BaseModel):
    total_amuont: Decimal


class NeedsCarrier(BaseModel):
    carrier: str


class NeedsNote(BaseModel):
    note: str


class NeedsNumber(BaseModel):
    reservation_id: int


class NeedsLines(BaseModel):
    items: list[Reservation]


WHERE = "saga 'order', step 'ship': "


@pytest.mark.parametrize(
    ("target", "declared", "message"),
    [
        (
            NeedsOrderId,
            {},
            (
                "order_id could come from input.order_id or reserve.order_id;"
                " say inputs={'order_id': 'input.order_id'}"
            ),
        ),
        (
            NeedsTotal,
            {},
            (
                "nothing fills NeedsTotal.total_amuont, did you mean 'total_amount'?;"
                " say inputs={'total_amuont': '<source>.<field>'}"
            ),
        ),
        (
            NeedsCarrier,
            {},
            "nothing fills NeedsCarrier.carrier; say inputs={'carrier': '<source>.<field>'}",
        ),
        (
            NeedsCarrier,
            {"carrier": "resreve.order_id"},
            (
                "resreve.order_id names 'resreve', which is not the input nor an earlier step"
                " with an output, did you mean 'reserve'?"
            ),
        ),
        (
            NeedsCarrier,
            {"carrier": "invoice.name"},
            (
                "invoice.name names 'invoice', which is not the input nor an earlier step"
                " with an output"
            ),
        ),
        (
            NeedsCarrier,
            {"carrier": "input.nots"},
            "input.nots names no field of Order, did you mean 'note'?",
        ),
        (NeedsCarrier, {"carrier": "input"}, "input names no field of Order"),
        (
            NeedsNote,
            {},
            "NeedsNote.note is str, and input.note that fills it is str | None",
        ),
        (
            NeedsNumber,
            {},
            "NeedsNumber.reservation_id is int, and reserve.reservation_id that fills it is str",
        ),
    ],
)
def test_a_wrong_input_is_refused_saying_where_what_and_how_to_say_it(target, declared, message):
    assert refusal(target, **declared) == WHERE + message


def test_a_mismatch_inside_of_a_list_names_both_types():
    message = refusal(NeedsLines)
    assert message.startswith(WHERE + "NeedsLines.items is list[")
    assert "Reservation], and input.items that fills it is list[" in message
    assert message.endswith("OrderItem]")


# What an annotation takes


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Paint(Enum):
    RED = "red"
    GREEN = "green"


class Size(IntEnum):
    SMALL = 1


class Forbidding(BaseModel):
    model_config = ConfigDict(extra="forbid")

    product_id: str
    quantity: int


class WithDefault(BaseModel):
    product_id: str
    weight: float = 1.0


class WrongQuantity(BaseModel):
    product_id: str
    quantity: list[int]


class Tree(BaseModel):
    branches: list["Tree"]


class OtherTree(BaseModel):
    branches: list["OtherTree"]


class BareTree(BaseModel):
    branches: list["BareTree"]
    leaf: str


class Products(RootModel[list[Item]]):
    pass


class Point(TypedDict):
    x: int


@dataclass
class Place:
    x: int


class Opaque:
    pass


Reference = NewType("Reference", str)
Positive = Annotated[int, Field(gt=0)]

TAKEN = [
    (str, str),
    (str | None, str),
    (Optional[str], str | None),  # noqa: UP045 - both spellings
    (Union[int, str], str),  # noqa: UP007 - both spellings
    (int | str, int | str),
    (int | str | None, str | None),
    (Any, str | None),
    (str, Any),
    (object, Item),
    (str, object),
    (None, None),
    # numbers and texts, as JSON has them
    (float, int),
    (float, Decimal),
    (int, bool),
    (Decimal, str),
    (Decimal, int),
    (Decimal, float),
    (str, Decimal),
    (str, UUID),
    (str, datetime),
    (str, Path),
    (UUID, str),
    (datetime, str),
    (datetime, date),
    (date, datetime),
    (timedelta, float),
    (bytes, str),
    # names and wrappers
    (Positive, int),
    (int, Positive),
    (list[Positive], list[int]),
    (Reference, str),
    (str, Reference),
    (EmailStr, str),
    (Opaque, str),
    (JsonValue, dict[str, list[int]]),
    # choices
    (str, Colour),
    (Colour, str),
    (str, Paint),
    (Paint, str),
    (Paint, Colour),
    (int, Size),
    (Size, int),
    (str, Literal["a", "b"]),
    (Literal["a", "b"], str),
    (Literal["a", "b"], Literal["a"]),
    (Literal["red"], Colour),
    (Colour, Literal["red"]),
    (Literal["a"] | None, Literal["a"]),
    # lists
    (list[Item], list[OrderItem]),
    (Sequence[Item], list[OrderItem]),
    (list[Item], Products),
    (Products, list[OrderItem]),
    (tuple[str, ...], list[str]),
    (list[str], tuple[str, ...]),
    (set[str], frozenset[str]),
    (deque[int], list[int]),
    (list, list[int]),
    (list[int], list),
    # objects
    (Item, OrderItem),
    (WithDefault, Item),
    (Forbidding, Item),
    (dict[str, Any], Item),
    (Item, dict[str, Any]),
    (dict[str, int], dict[str, int]),
    (Mapping[str, float], dict[str, int]),
    (dict[str, int], dict[int, int]),
    (dict, dict[str, int]),
    (Point, dict[str, int]),
    (Point, Item),
    (Place, Item),
    (Tree, OtherTree),
]

REFUSED = [
    (str, str | None),
    (list[int], list[int] | None),
    (Item, OrderItem | None),
    (int, None),
    (None, int),
    (list[str], list[str | None]),
    (dict[str, str], dict[str, str | None]),
    (str, int | str),
    (int, Optional[int]),  # noqa: UP045 - both spellings
    (Literal["a"], Literal["a"] | None),
    (Colour, Colour | None),
    (int, str),
    (str, int),
    (str, bool),
    (bool, int),
    (bool, str),
    (float, str),
    (int, float),
    (int, Decimal),
    (Decimal, bool),
    (Decimal, Item),
    (Decimal, list[str]),
    (UUID, int),
    (UUID, Decimal),
    (datetime, UUID),
    (Positive, str),
    (Reference, int),
    (str, Size),
    (Colour, int),
    (Literal["a"], Literal["b"]),
    (Literal["a"], int),
    (int, Literal["a"]),
    (Literal["green"], Colour),
    (list[Item], list[Reservation]),
    (list[str], list[int]),
    (Sequence[str], list[int]),
    (tuple[str, ...], list[int]),
    (list[str], str),
    (str, list[str]),
    (list[Item], Item),
    (Item, list[Item]),
    (Products, list[Reservation]),
    (dict[str, int], dict[str, str]),
    (dict[str, int], list[int]),
    (dict[str, int], str),
    (Item, str),
    (str, Item),
    (OrderItem, Item),
    (Item, WrongQuantity),
    (Forbidding, OrderItem),
    (BareTree, Tree),
]


def pair(value):
    return str(value)


@pytest.mark.parametrize(("target", "source"), TAKEN, ids=pair)
def test_a_field_takes_what_can_fit_it(target, source):
    assert accepts(target, source)


@pytest.mark.parametrize(("target", "source"), REFUSED, ids=pair)
def test_a_field_refuses_what_cannot_fit_it(target, source):
    assert not accepts(target, source)
