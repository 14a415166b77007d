"""Data that JSON does not hold is refused when a saga is defined, or when one is started."""

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import pytest
from pydantic import (
    BaseModel,
    Field,
    PlainSerializer,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    field_serializer,
)
from pydantic.dataclasses import dataclass as checked_dataclass
from typing_extensions import TypedDict

from amends import DefinitionError, Saga, Step, activity
from amends.definition.losses import check_losses
from amends.definition.serialization import read_back

T = TypeVar("T")


class Card(BaseModel):
    number: SecretStr


class Box(BaseModel, Generic[T]):
    content: T


class Cards(RootModel[list[Card]]):
    pass


class Wallet(TypedDict):
    card: Card


class Pair(NamedTuple):
    card: SecretBytes
    note: str


@dataclass
class Purse:
    coins: int
    card: Card | None


@checked_dataclass
class Drawer:
    note: str = Field(default="", exclude=True)


class Tree(BaseModel):
    children: list["Tree"]
    name: str


class Note(BaseModel):
    text: str = Field(default="", exclude=True)


@pytest.mark.parametrize(
    ("annotation", "lost"),
    [
        (SecretStr, "Data.field is a SecretStr"),
        (SecretBytes | None, "Data.field is a SecretBytes"),
        (Secret[date], "Data.field is a Secret"),
        (Annotated[SecretStr, Field(min_length=1)], "Data.field is a SecretStr"),
        (Card, "Data.field.number is a SecretStr"),
        (list[Card], "Data.field.number is a SecretStr"),
        (dict[str, tuple[int, Card]], "Data.field.number is a SecretStr"),
        (int | Card, "Data.field.number is a SecretStr"),
        (Box[SecretStr], "Data.field.content is a SecretStr"),
        (Cards, "Data.field.number is a SecretStr"),
        (Wallet, "Data.field.card.number is a SecretStr"),
        (Pair, "Data.field.card is a SecretBytes"),
        (Purse, "Data.field.card.number is a SecretStr"),
        (Note, "Data.field.text has exclude=True"),
        (Drawer, "Data.field.note has exclude=True"),
    ],
)
def test_a_field_that_json_masks_or_leaves_out_is_named(annotation, lost):
    model = type("Data", (BaseModel,), {"__annotations__": {"field": annotation}})
    with pytest.raises(DefinitionError, match=f"^saga 's', input: {lost}.* store a reference"):
        check_losses(model, where="saga 's', input")


class Revealed(BaseModel):
    by_decorator: SecretStr
    by_annotation: Annotated[SecretStr, PlainSerializer(lambda secret: secret.get_secret_value())]

    @field_serializer("by_decorator")
    def reveal(self, secret: SecretStr) -> str:
        return secret.get_secret_value()


@pytest.mark.parametrize("model", [Tree, Revealed, Box[int], Box[Any]])
def test_a_model_whose_json_holds_all_of_it_is_taken(model):
    check_losses(model, where="saga 's', input")


def test_what_a_serializer_of_their_own_writes_comes_back():
    given = Revealed(by_decorator="a", by_annotation="b")
    assert read_back(Revealed, given, "it") == given


class Out(BaseModel):
    outcome: str


@activity
def take_card(card: Card) -> None:
    """Take one."""


@activity
def issue_card(note: Box[str]) -> Card:
    """Return one."""


def test_a_saga_refuses_them_in_its_input_and_in_an_output_of_a_step():
    def define(saga_input, step):
        return Saga("s", input=saga_input, output=Out, steps=[Step(step, compensation=None)])

    with pytest.raises(DefinitionError, match=r"saga 's', input: Card.number is a SecretStr"):
        define(Card, take_card)
    with pytest.raises(DefinitionError, match=r"output of step 'issue_card': Card.number"):
        define(Box[str], issue_card)


class Plain(BaseModel):
    number: str


def test_a_step_may_take_as_a_secret_what_is_stored_as_text():
    Saga("s", input=Plain, output=Out, steps=[Step(take_card, compensation=None)])


class Rounded(BaseModel):
    amount: Annotated[float, PlainSerializer(round)]
    anything: Any = None


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"amount": 1.5}, "amount"), ({"amount": 1.0, "anything": date(2024, 1, 2)}, "anything")],
)
def test_a_value_that_comes_back_changed_is_refused_by_its_field_and_not_quoted(changes, field):
    with pytest.raises(
        ValueError, match=f"^the input of x: Rounded.{field} does not come back"
    ) as told:
        read_back(Rounded, Rounded(**changes), "the input of x")
    assert "1.5" not in str(told.value)


def test_a_value_that_does_not_equal_its_own_copy_is_no_loss():
    class Nan(BaseModel, ser_json_inf_nan="constants"):
        ratio: float

    assert read_back(Nan, Nan(ratio=float("nan")), "it").ratio != 0


def test_a_call_on_its_own_refuses_what_its_message_would_mask():
    with pytest.raises(ValueError, match=r"an argument of a call on its own: Card.number"):
        take_card.s(Card(number="4111"))


def test_a_dataclass_whose_names_only_pydantic_finds_is_let_pass():
    @dataclass
    class Coin:
        value: "Value"

    Value = int  # noqa: N806 - a name of this function's

    class Purse(BaseModel):
        coin: Coin

    Purse.model_rebuild()
    check_losses(Purse, where="here")
    assert read_back(Purse, Purse(coin=Coin(1)), "it").coin.value == Value(1)
