from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import pytest
from pydantic import BaseModel, Field, PlainSerializer, RootModel, SecretBytes, SecretStr
from typing_extensions import TypedDict

from amends.definition.secrets import MASK, masked
from amends.definition.serialization import dumped, validated

Marked = Annotated[str, Field(json_schema_extra={"amends": "secret"})]
Hidden = Annotated[SecretStr, PlainSerializer(lambda secret: secret.get_secret_value())]


class Card(BaseModel):
    number: Hidden
    holder: str = "ada"


@dataclass
class Purse:
    pin: Marked
    coins: int


class Pair(NamedTuple):
    name: str
    pin: Marked


class Form(TypedDict):
    pin: Marked


class Cards(RootModel[list[Card]]):
    pass


class Token(RootModel[Marked]):
    pass


CARD = {"number": "4111", "holder": "ada"}
SEEN = {"number": MASK, "holder": "ada"}


@pytest.mark.parametrize(
    ("kind", "given", "seen"),
    [
        (str, "open", "open"),
        (Marked, "4111", MASK),
        (Hidden, "4111", MASK),
        (SecretStr | None, "4111", MASK),
        (SecretStr | None, None, None),
        (SecretBytes, "4111", MASK),
        (Card, CARD, SEEN),
        (Card | None, CARD, SEEN),
        (int | Card, CARD, SEEN),
        (list[Card], [CARD, CARD], [SEEN, SEEN]),
        (tuple[int, Card], [1, CARD], [1, SEEN]),
        (tuple[Card, ...], [CARD], [SEEN]),
        (dict[str, Card], {"a": CARD}, {"a": SEEN}),
        (dict[str, list[Marked]], {"a": ["4111"]}, {"a": [MASK]}),
        (Cards, [CARD], [SEEN]),
        (Token, "4111", MASK),
        (Purse, {"pin": "1", "coins": 2}, {"pin": MASK, "coins": 2}),
        (Pair, ["ada", "1"], ["ada", MASK]),
        (Form, {"pin": "1"}, {"pin": MASK}),
        (Any, {"pin": "1"}, {"pin": "1"}),
        (Card, "of an older release", "of an older release"),
    ],
)
def test_a_secret_is_masked_wherever_it_is(kind, given, seen):
    assert masked(kind, {"field": given}["field"]) == seen

    class Data(BaseModel):
        field: kind

    assert masked(Data, {"field": given, "gone": 1}) == {"field": seen, "gone": 1}


def test_a_secret_with_a_serializer_reaches_an_activity_through_the_log():
    card = Card(number=SecretStr("4111"))
    assert dumped(card) == CARD
    assert validated(Card, dumped(card)).number.get_secret_value() == "4111"
