"""Models, outputs and errors as the log's JSON."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, computed_field

from amends import CircuitOpenError
from amends.definition.serialization import (
    canonical_json,
    dumped,
    error_json,
    output_json,
    validated,
)
from amends.log.record import error_circuit, error_text

OLD = '{"message":"circuit \'bank\' is open; try again in 3.0 s","type":"CircuitOpenError"}'


class Line(BaseModel):
    price: Decimal
    at: datetime = datetime(2026, 1, 2, tzinfo=UTC)


class Renamed(BaseModel):
    """A model that speaks to the outside by other names, and takes no more than it has."""

    model_config = ConfigDict(extra="forbid", serialize_by_alias=True)

    order_id: str = Field(alias="orderId")

    @computed_field
    @property
    def label(self) -> str:
        return f"order {self.order_id}"


def test_the_same_data_in_another_order_is_the_same_text():
    one = {"b": [{"y": 1, "x": (2, None)}], "a": {"d": True, "c": "é"}}
    two = {"a": {"c": "é", "d": True}, "b": [{"x": [2, None], "y": 1}]}
    assert canonical_json(one) == canonical_json(two)
    assert canonical_json(one) == '{"a":{"c":"é","d":true},"b":[{"x":[2,null],"y":1}]}'


@pytest.mark.parametrize(
    ("one", "two"), [([1, 2], [2, 1]), ({"a": 1}, {"a": "1"}), ({"a": None}, {}), (0, False)]
)
def test_other_data_is_another_text(one, two):
    assert canonical_json(one) != canonical_json(two)


def test_a_decimal_keeps_every_digit():
    text = canonical_json(dumped(Line(price=Decimal("10.10"))))
    assert text == '{"at":"2026-01-02T00:00:00Z","price":"10.10"}'
    assert str(validated(Line, json.loads(text)).price) == "10.10"


def test_a_model_is_built_from_its_fields_names_whatever_it_is_called_outside():
    assert validated(Renamed, {"order_id": "order-1"}).order_id == "order-1"
    with pytest.raises(ValidationError, match="orderId"):
        validated(Renamed, {"orderId": "order-1"})


def test_what_is_dumped_can_be_validated_again():
    order = Renamed(orderId="order-1")
    assert dumped(order) == {"order_id": "order-1"}
    assert validated(Renamed, dumped(order)) == order


def test_data_that_does_not_fit_is_refused():
    with pytest.raises(ValidationError, match="price"):
        validated(Line, {"price": "much"})


@pytest.mark.parametrize(
    ("model", "result", "data"),
    [
        (Line, Line(price=Decimal(1)), {"price": "1", "at": "2026-01-02T00:00:00Z"}),
        (Line, {"price": "1"}, {"price": "1", "at": "2026-01-02T00:00:00Z"}),
        (Renamed, Renamed(orderId="order-1"), {"order_id": "order-1"}),
        (None, None, None),
    ],
)
def test_an_output_becomes_json_data(model, result, data):
    assert output_json(model, result) == data


@pytest.mark.parametrize("result", [None, Renamed(orderId="order-1"), {"price": "much"}, "text"])
def test_an_output_that_is_not_the_promised_model_is_refused(result):
    with pytest.raises(ValidationError):
        output_json(Line, result)


def test_an_output_where_none_was_promised_is_refused():
    with pytest.raises(TypeError) as caught:
        output_json(None, Line(price=Decimal(1)))
    assert str(caught.value) == "it returned a Line, and its annotation says that it returns None"


def test_an_error_is_told_by_its_type_and_message():
    assert error_text(error_json(OSError('cut "here"\n'))) == 'OSError: cut "here"\n'
    assert error_text(None) is None


def test_a_long_message_is_cut():
    assert error_text(error_json(OSError("x" * 5000))) == "OSError: " + "x" * 2000


def test_a_message_that_is_no_unicode_can_be_written_too():
    undecodable = b"caf\xe9".decode(errors="surrogateescape")
    assert error_text(error_json(OSError(undecodable))) == "OSError: caf?"


def test_an_error_of_an_open_circuit_names_it():
    text = error_json(CircuitOpenError("bank", "open", 3.0))
    assert error_circuit(text) == "bank"
    assert error_text(text) == "CircuitOpenError: circuit 'bank' is open; try again in 3.0 s"


@pytest.mark.parametrize(
    "text", [None, error_json(OSError("circuit 'bank' is open")), OLD], ids=["none", "other", "old"]
)
def test_any_other_error_names_no_circuit(text):
    assert error_circuit(text) is None
