"""Sagas and steps that are defined or started wrongly: each is refused, saying what and where."""

from decimal import Decimal
from uuid import UUID

import pytest
from pydantic import BaseModel, ValidationError

import amends
from amends import DefinitionError, Refused, Saga, Step, activity
from tests.support.app import in_process_app


class Order(BaseModel):
    order_id: str
    total: Decimal


class BigOrder(Order):
    pallets: int


class Receipt(BaseModel):
    receipt: str


class Parcel(BaseModel):
    parcel: str


class Result(BaseModel):
    order_id: str
    receipt: str | None


class SureResult(BaseModel):
    receipt: str


class Charge(BaseModel):
    order_id: str
    amount: Decimal


class Labelled(BaseModel):
    parcel: str


@activity
def charge(order: Order) -> Receipt: ...
@activity
def charge_otherwise(order: Order) -> Receipt: ...
@activity
def refund(order: Order, receipt: Receipt | None) -> None: ...
@activity
def pack(order: Order) -> Parcel: ...
@activity
def unpack(order: Order, parcel: Parcel | None) -> None: ...
@activity
def charge_big(order: BigOrder) -> Receipt: ...
@activity
def refund_big(order: BigOrder, receipt: Receipt | None) -> None: ...
@activity
def charge_amount(request: Charge) -> Receipt: ...
@activity
def label(parcel: Labelled) -> None: ...
def no_activity(order: Order) -> Receipt: ...


STEPS = [
    (
        lambda: Step(charge, compensation=None, name="two words"),
        "step 'two words': a name is letters, digits and _, and not 'input', 'saga' or 'item'",
    ),
    (
        lambda: Step(charge, compensation=None, name="input"),
        "step 'input': a name is letters, digits and _, and not 'input', 'saga' or 'item'",
    ),
    (
        lambda: Step(charge, compensation=None, name="saga"),
        "step 'saga': a name is letters, digits and _, and not 'input', 'saga' or 'item'",
    ),
    (
        lambda: Step(charge, compensation=None, on_failure="ignore"),
        "step 'charge': on_failure is 'ignore', not 'compensate' or 'continue'",
    ),
    (
        lambda: Step(refund, compensation=None),
        (
            f"a step's activity is <Compensation {__name__}.refund>: give a function of one"
            " parameter, decorated with @activity"
        ),
    ),
    (
        lambda: Step(charge, compensation=charge_otherwise),
        (
            f"step 'charge': <Activity {__name__}.charge_otherwise> is no compensation, which"
            " is an @activity of two parameters: the step's input, and its output or None"
        ),
    ),
    (
        lambda: Step(charge, compensation=refund_big),
        (
            f"step 'charge': {__name__}.refund_big takes BigOrder, and"
            f" {__name__}.charge that it undoes takes Order"
        ),
    ),
    (
        lambda: Step(charge, compensation=None, fallback=charge_otherwise),
        (
            "step 'charge': a step with a fallback needs a compensation, or the fallback could double an"
            f" effect of {__name__}.charge that nobody knows of"
        ),
    ),
    (
        lambda: Step(charge, compensation=refund, fallback=refund),
        f"step 'charge': the fallback <Compensation {__name__}.refund> is no activity",
    ),
    (
        lambda: Step(charge, compensation=refund, fallback=charge),
        f"step 'charge': {__name__}.charge is its own fallback",
    ),
    (
        lambda: Step(charge, compensation=refund, fallback=pack),
        (
            f"step 'charge': {__name__}.pack must return what {__name__}.charge"
            f" returns, and take what {__name__}.refund can undo"
        ),
    ),
    (
        lambda: Step(charge, compensation=refund, fallback=charge_amount),
        (
            f"step 'charge': {__name__}.charge_amount must return what"
            f" {__name__}.charge returns, and take what {__name__}.refund can undo"
        ),
    ),
]


@pytest.mark.parametrize(("define", "message"), STEPS)
def test_a_wrong_step_is_refused(define, message):
    with pytest.raises(DefinitionError) as caught:
        define()
    assert str(caught.value) == message


def saga(*steps, name="buy", saga_input=Order, output=Result, **options):
    return Saga(name, input=saga_input, output=output, steps=steps, **options)


CHARGE = Step(charge, compensation=refund)

SAGAS = [
    (lambda: saga(CHARGE, name="buy it"), "saga 'buy it': a name is letters, digits and _"),
    (lambda: saga(CHARGE, name="1st"), "saga '1st': a name is letters, digits and _"),
    (lambda: saga(CHARGE, name=""), "saga '': a name is letters, digits and _"),
    (saga, "saga 'buy' has no steps"),
    (
        lambda: saga(CHARGE, Step(charge, compensation=refund)),
        "saga 'buy': two steps are called 'charge'; give one a name=",
    ),
    (
        lambda: saga(Step(charge, compensation=refund, inputs={"totl": "input.total"})),
        "saga 'buy', step 'charge': inputs= names 'totl', which is no field of Order",
    ),
    (
        lambda: saga(Step(charge_amount, compensation=None)),
        (
            "saga 'buy', step 'charge_amount': nothing fills Charge.amount;"
            " say inputs={'amount': '<source>.<field>'}"
        ),
    ),
    (
        lambda: saga(CHARGE, Step(label, compensation=None, inputs={"parcel": "charge.parcel"})),
        "saga 'buy', step 'label': charge.parcel names no field of Receipt",
    ),
    (
        lambda: saga(Step(label, compensation=None), Step(pack, compensation=unpack)),
        (
            "saga 'buy', step 'label': nothing fills Labelled.parcel;"
            " say inputs={'parcel': '<source>.<field>'}"
        ),
    ),
    (
        lambda: saga(Step(label, compensation=None, inputs={"parcel": "pack.parcel"})),
        (
            "saga 'buy', step 'label': pack.parcel names 'pack', which is not the input nor an earlier"
            " step with an output"
        ),
    ),
    (
        lambda: saga(CHARGE, output=SureResult),
        (
            "saga 'buy', output: SureResult.receipt comes from charge.receipt, which may not have happened;"
            " let it be None"
        ),
    ),
    (
        lambda: saga(Step(pack, compensation=unpack)),
        "saga 'buy', output: nothing fills Result.receipt; say outputs={'receipt': '<source>.<field>'}",
    ),
]


@pytest.mark.parametrize(("define", "message"), SAGAS)
def test_a_wrong_saga_is_refused(define, message):
    with pytest.raises(DefinitionError) as caught:
        define()
    assert str(caught.value) == message


def test_the_fallbacks_own_input_is_checked_too():
    @activity(name="undo_any")
    def undo_any(order: Order, receipt: Receipt | None) -> None: ...

    with pytest.raises(DefinitionError, match=r"nothing fills BigOrder\.pallets"):
        saga(Step(charge, fallback=charge_big, compensation=undo_any))


def test_a_right_saga_is_not_refused():
    made = saga(
        CHARGE,
        Step(pack, compensation=unpack, name="pack_it", outcome={Refused: "no_parcel"}),
        Step(label, compensation=None, on_failure="continue"),
        outputs={"receipt": "charge.receipt"},
    )
    assert repr(made) == "<Saga buy>"
    assert [step.name for step in made.itinerary.steps] == ["charge", "pack_it", "label"]
    assert made.itinerary.output == {"order_id": "input.order_id", "receipt": "charge.receipt"}
    assert made.itinerary.steps[0].outcome == {"builtins.Exception": "failed"}
    assert made.itinerary.steps[1].outcome == {"amends.errors.Refused": "no_parcel"}


# Starting


@pytest.fixture
def nothing_happens(monkeypatch):
    """Let any use of the log fail."""

    def refuse(app):
        raise AssertionError(app)

    monkeypatch.setattr("amends.saga.definition.log_of", refuse)
    with in_process_app("nothing_happens"):
        yield


BUY = saga(CHARGE)
ORDER = Order(order_id="1", total=Decimal(1))


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize(
    "given",
    [
        {"order_id": "1"},
        None,
        Receipt(receipt="1"),
        Order.model_construct(order_id="1", total="much"),
    ],
    ids=["a field is missing", "nothing", "another model", "a model made without its checks"],
)
def test_a_start_with_another_shape_is_refused_before_anything_happens(given):
    with pytest.raises(ValidationError):
        BUY.start(given, saga_id="order-1")


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize(
    "saga_id",
    ["", ".a", "-a", "_a", "a b", "a/b", "a:b", "a{b}", "a\n", "é", "a*", "a" * 129],
)
def test_an_id_outside_of_the_pattern_is_refused_before_anything_happens(saga_id):
    with pytest.raises(ValueError, match="is not 1 to 128 letters, digits") as caught:
        BUY.start(ORDER, saga_id=saga_id)
    assert f"saga_id {saga_id!r} " in str(caught.value)


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("saga_id", ["a", "0", "order-1047", "a._-", "A" * 128])
def test_an_id_of_the_pattern_goes_on_to_the_log(saga_id):
    with pytest.raises(AssertionError):
        BUY.start(ORDER, saga_id=saga_id)


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("saga_id", [b"order-1", 1.5, True, ("a",), -1])
def test_an_id_that_is_no_text_is_refused_in_a_sentence(saga_id):
    with pytest.raises(ValueError, match="is not 1 to 128 letters, digits"):
        BUY.start(ORDER, saga_id=saga_id)
    with pytest.raises(ValueError, match="is not 1 to 128 letters, digits"):
        BUY.start_many([ORDER], saga_ids=[saga_id])
    for get in (BUY.get, amends.get):
        with pytest.raises(ValueError, match="is not 1 to 128 letters, digits"):
            get(saga_id)


@pytest.mark.parametrize("saga_id", [UUID("0b0bf4c0-37d4-4dd8-b4c9-2a4f3b7ff3a1"), 1047])
def test_a_uuid_or_a_number_is_an_id_by_its_text(rehearsal, saga_id):
    handle = BUY.start(ORDER, saga_id=saga_id)
    assert handle.id == str(saga_id)
    assert [each.id for each in BUY.start_many([ORDER], saga_ids=[saga_id])] == [str(saga_id)]
    assert {get(each).id for get in (BUY.get, amends.get) for each in (saga_id, str(saga_id))} == {
        str(saga_id)
    }


@pytest.mark.usefixtures("nothing_happens")
def test_one_wrong_input_among_many_starts_none():
    with pytest.raises(ValidationError):
        BUY.start_many([ORDER, None])


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("lacking", ["saga_id", "input"])
def test_each_input_needs_its_id(lacking):
    inputs, ids = ([ORDER, ORDER], ["a"]) if lacking == "saga_id" else ([ORDER], ["a", "b"])
    with pytest.raises(ValueError, match=f"there is no 2. {lacking}: give each input its id"):
        BUY.start_many(inputs, saga_ids=ids)


# What would go wrong only while it runs


class OtherReceipt(BaseModel):
    number: int


@activity
def refund_other(order: Order, receipt: OtherReceipt | None) -> None: ...


class NeedsReceipt(BaseModel):
    receipt: str


@activity
def send_receipt(request: NeedsReceipt) -> None: ...


@pytest.mark.parametrize(
    "define",
    [
        lambda: Step(no_activity, compensation=None),
        lambda: Step(charge, compensation=refund_other),
        lambda: saga(CHARGE, outputs={"reciept": "charge.receipt"}),
        lambda: saga(
            Step(charge, compensation=refund, on_failure="continue"),
            Step(send_receipt, compensation=None),
        ),
        lambda: Step(charge, compensation=refund, outcome='said "no"'),
        lambda: Step(charge, compensation=refund, outcome=""),
        lambda: Step(charge, compensation=refund, outcome="completed"),
        lambda: saga(CHARGE, timeout=0.0),
        lambda: saga(CHARGE, timeout=float("nan")),
    ],
    ids=[
        "a plain function as activity",
        "a compensation for another output",
        "outputs= for no field",
        "a required field from a step that may be passed over",
        "an outcome that breaks the history's JSON",
        "an outcome without a name",
        "a failure called completed",
        "no time at all",
        "no time that anybody knows",
    ],
)
def test_a_definition_that_cannot_work_is_refused(define):
    with pytest.raises(DefinitionError):
        define()
