"""A start that code with another input model repeats: the same saga, unless what was given differs."""

from typing import Literal

import pytest
from pydantic import BaseModel, Field, create_model

from amends import Saga, SagaAlreadyStarted, Step, activity
from amends.log.saga_log import log_of
from tests.support.app import in_process_app
from tests.support.log_view import view_of


class Nothing(BaseModel):
    pass


class Out(BaseModel):
    outcome: str


@activity
def do(_: Nothing) -> None: ...


class OldLine(BaseModel):
    product: str


class NewLine(OldLine):
    gift: bool = False


class Old(BaseModel):
    order: str
    lines: list[OldLine] = []
    extra: OldLine | None = None


class New(Old):
    note: str = ""
    tags: list[str] = Field(default_factory=list)
    size: int = Field(default_factory=lambda given: len(given["order"]))
    lines: list[NewLine] = []
    extra: NewLine | None = None


class Renamed(Old):
    order: str = Field(alias="orderNumber")


def saga_of(model):
    return Saga("same", input=model, output=Out, steps=[Step(do, compensation=None)])


OLD, NEW, RENAMED = saga_of(Old), saga_of(New), saga_of(Renamed)
LINE = {"product": "p"}
GIVEN = {"order": "o", "lines": [LINE, LINE], "extra": LINE}


@pytest.fixture(autouse=True)
def log():
    with in_process_app("same") as app:
        yield log_of(app)


@pytest.fixture(params=["this release", "the release before"])
def begun(request, log):
    """Start a saga, as this release writes it and as the one before did, which kept no digest."""

    def begin(saga, value):
        saga.start(value, saga_id="s1")
        if request.param == "the release before":
            view_of(log).client.hdel(view_of(log).saga_key("s1"), "given")

    return begin


def test_the_same_start_is_one_saga_though_the_model_has_new_fields_with_defaults(begun):
    begun(OLD, Old(**GIVEN))
    assert NEW.start(New(**GIVEN), saga_id="s1").id == "s1"
    NEW.start_many([New(**GIVEN)], saga_ids=["s1"])


def test_a_field_that_is_given_as_its_default_says_is_no_difference(begun):
    begun(OLD, Old(order="o"))
    NEW.start(New(order="o", note="", lines=[]), saga_id="s1")


@pytest.mark.parametrize(
    "change",
    [
        {"note": "fragile"},
        {"order": "another"},
        {"lines": [LINE]},
        {"lines": [LINE, {"product": "p", "gift": True}]},
        {"extra": {"product": "p", "gift": True}},
        {"extra": None},
    ],
    ids=str,
)
def test_what_is_given_otherwise_is_another_saga(begun, change):
    begun(OLD, Old(**GIVEN))
    with pytest.raises(SagaAlreadyStarted):
        NEW.start(New(**GIVEN | change), saga_id="s1")
    with pytest.raises(SagaAlreadyStarted):
        NEW.start_many([New(**GIVEN | change)], saga_ids=["s1"])


def in_order(**fields):
    """Return a saga whose input has the fields of `Old` and these."""
    return saga_of(create_model("Later", __base__=Old, **fields))


LATER = in_order(note=(str, ""), lines=(list[NewLine], []), extra=(NewLine | None, None))


def test_older_code_that_meets_the_start_of_newer_code_knows_its_own():
    LATER.start(LATER.input(**GIVEN), saga_id="s1")
    assert OLD.start(Old(**GIVEN), saga_id="s1").id == "s1"
    OLD.start_many([Old(**GIVEN)], saga_ids=["s1"])


@pytest.mark.parametrize(
    "change",
    [{"note": "fragile"}, {"lines": [LINE, {"product": "p", "gift": True}]}],
    ids=str,
)
def test_older_code_is_told_of_what_only_newer_code_could_give(change):
    (field,) = change
    kinds = {"note": (str, ""), "lines": (list[NewLine], [])}
    later = in_order(**{field: kinds[field]})
    later.start(later.input(**GIVEN | change), saga_id="s1")
    with pytest.raises(SagaAlreadyStarted):
        OLD.start(Old(**GIVEN), saga_id="s1")


def test_an_alias_is_no_difference(begun):
    begun(OLD, Old(**GIVEN))
    given = {name: value for name, value in GIVEN.items() if name != "order"}
    RENAMED.start(Renamed(orderNumber="o", **given), saga_id="s1")


def test_an_input_that_todays_model_cannot_read_is_another_one(begun):
    begun(OLD, Old(order="o"))
    strict = in_order(weight=(int, ...))
    with pytest.raises(SagaAlreadyStarted):
        strict.start(strict.input(order="o", weight=1), saga_id="s1")


class Wallet(BaseModel):
    kind: Literal["wallet"] = "wallet"
    account: str


class Bank(BaseModel):
    kind: Literal["bank"] = "bank"
    account: str


def test_models_that_differ_by_a_default_alone_are_no_same_input(begun):
    paid = in_order(by=(Wallet | Bank, ...))
    begun(paid, paid.input(order="o", by=Wallet(account="1")))
    with pytest.raises(SagaAlreadyStarted):
        paid.start(paid.input(order="o", by=Bank(account="1")), saga_id="s1")


def test_what_another_default_of_other_code_makes_of_an_input_is_no_difference():
    before, after = in_order(note=(str, "")), in_order(note=(str, "none"))
    before.start(before.input(order="o"), saga_id="s1")
    after.start(after.input(order="o"), saga_id="s1")
    with pytest.raises(SagaAlreadyStarted):
        after.start(after.input(order="o", note="fragile"), saga_id="s1")


def test_the_order_in_which_a_set_is_written_is_no_difference(begun):
    marked = in_order(marks=(set[int], ...))
    begun(marked, marked.input(order="o", marks={8, 0}))
    assert [*{8, 0}] != [*{0, 8}]
    marked.start(marked.input(order="o", marks={0, 8}), saga_id="s1")
