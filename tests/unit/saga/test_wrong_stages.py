"""Stages, conditions, points of no return and verifications that are defined wrongly: each is refused, saying what and where."""

from datetime import timedelta
from math import inf, nan

import pytest
from pydantic import BaseModel

from amends import Child, DefinitionError, Each, Parallel, Saga, Step, activity


class Parcel(BaseModel):
    sku: str
    fragile: bool = False


class Order(BaseModel):
    order_id: str
    gift: bool = False
    note: str | None = None
    maybe: bool | None = None
    parcels: list[Parcel] = []
    tags: list[str] = []
    first: Parcel | None = None


class OtherOrder(BaseModel):
    order_id: str


class Receipt(BaseModel):
    receipt: str


class Wrapping(BaseModel):
    wrapping: str


class Shipment(BaseModel):
    order_id: str
    sku: str


class Send(BaseModel):
    receipt: str


class Manifest(BaseModel):
    ship: list[Receipt]


class Result(BaseModel):
    order_id: str


@activity
def charge(order: Order) -> Receipt: ...
@activity
def charge_otherwise(order: Order) -> Receipt: ...
@activity
def charge_other(order: OtherOrder) -> Receipt: ...
@activity
def refund(order: Order, receipt: Receipt | None) -> None: ...
@activity
def find_charge(order: Order) -> Receipt | None: ...
@activity
def find_other_charge(order: OtherOrder) -> Receipt | None: ...
@activity
def find_wrapping(order: Order) -> Wrapping | None: ...
@activity
def wrap(order: Order) -> Wrapping: ...
@activity
def tell(order: Order) -> None: ...
@activity
def send(request: Send) -> None: ...
@activity
def ship(shipment: Shipment) -> Receipt: ...
@activity
def label(shipment: Shipment) -> None: ...
@activity
def print_manifest(manifest: Manifest) -> None: ...


M = __name__


def step(name, **how):
    return Step(charge, name=name, **{"compensation": refund, **how})


def saga(*stages, output=Result, **how):
    return Saga("buy", input=Order, output=output, steps=stages, **how)


SHIP = Step(ship, compensation=None)

SHAPES = [
    (Parallel, "Parallel(): 0 branches, and two to 100 are possible"),
    (lambda: Parallel(step("a")), "Parallel(a): 1 branches, and two to 100 are possible"),
    (
        lambda: Parallel([step("a"), step("b")]),
        "Parallel(a, b): 1 branches, and two to 100 are possible",
    ),
    (lambda: Parallel(step("a"), []), "Parallel(a): a branch has no steps"),
    (
        lambda: Parallel(step("a"), ["b"]),
        "Parallel(a): a branch has 'b', and takes steps alone: a Step, or a list of them",
    ),
    (
        lambda: Parallel(step("a"), "b"),
        "Parallel(a): a branch has 'b', and takes steps alone: a Step, or a list of them",
    ),
    (
        lambda: Parallel(step("a"), Each("input.parcels", SHIP)),
        "Parallel(a): a branch has Each('input.parcels', ship), and takes steps alone: a Step, or a list of them",
    ),
    (
        lambda: Parallel(step("a"), step("b"), undo="reverse"),
        "Parallel(a, b): undo is 'reverse', not 'together' or 'ordered'",
    ),
    (
        lambda: Each("input.parcels", "ship"),
        "Each('input.parcels') has 'ship', and takes a Step, or a Child",
    ),
    (
        lambda: Each("parcels", SHIP),
        "Each('parcels', ship): the list is named 'input.<field>' or '<step>.<field>', with one dot",
    ),
    (
        lambda: Each("input.first.parcels", SHIP),
        "Each('input.first.parcels', ship): the list is named 'input.<field>' or '<step>.<field>', with one dot",
    ),
    (
        lambda: Each(["input.parcels"], SHIP),
        "Each(['input.parcels'], ship): the list is named 'input.<field>' or '<step>.<field>', with one dot",
    ),
    *[
        (
            lambda wrong=wrong: Each("input.parcels", SHIP, concurrency=wrong),
            f"Each('input.parcels', ship): concurrency is {wrong!r}, not a number from 1 on",
        )
        for wrong in (0, -1, 2.0, True, "2")
    ],
    (
        lambda: step("item"),
        "step 'item': a name is letters, digits and _, and not 'input', 'saga' or 'item'",
    ),
    (
        lambda: step("a", pivot=True, on_failure="continue"),
        "step 'a': it is the point of no return, and passes over its failure: one excludes the other",
    ),
    *[
        (
            lambda wrong=wrong: step("a", verify=find_charge, settle=wrong),
            f"step 'a': settle is {wrong!r}, not a time in seconds",
        )
        for wrong in (-1.0, inf, nan, "1", timedelta(1))
    ],
    (
        lambda: step("a", settle=1.0),
        "step 'a': settle= is a time before verify=, which is not said",
    ),
    (
        lambda: step("a", verify=charge_otherwise),
        (
            f"step 'a': verify= is <Activity {M}.charge_otherwise>: give an @activity that returns what"
            f" {M}.charge returns, or None"
        ),
    ),
    (
        lambda: step("a", verify=refund),
        (
            f"step 'a': verify= is <Compensation {M}.refund>: give an @activity that returns what"
            f" {M}.charge returns, or None"
        ),
    ),
    (
        lambda: step("a", verify="find_charge"),
        f"step 'a': verify= is 'find_charge': give an @activity that returns what {M}.charge returns, or None",
    ),
    (
        lambda: step("a", verify=find_wrapping),
        (
            f"step 'a': {M}.find_wrapping must return what {M}.charge returns, or None where that had no effect;"
            f" {M}.charge returns Receipt"
        ),
    ),
    (
        lambda: Step(tell, compensation=None, verify=find_charge),
        (
            f"step 'tell': {M}.find_charge must return what {M}.tell returns, or None where that had no effect;"
            f" {M}.tell returns None"
        ),
    ),
    (
        lambda: step("a", verify=find_other_charge),
        f"step 'a': {M}.find_other_charge takes OtherOrder, which is not what the step takes",
    ),
    (
        lambda: Step(find_charge, compensation=None),
        f"step 'find_charge': {M}.find_charge returns a model or None, which a step's verify= does alone; say one of them",
    ),
    (
        lambda: step("a", fallback=find_charge),
        f"step 'a': {M}.find_charge returns a model or None, which a step's verify= does alone; say one of them",
    ),
]


@pytest.mark.parametrize(("define", "message"), SHAPES)
def test_a_wrong_shape_is_refused(define, message):
    with pytest.raises(DefinitionError) as caught:
        define()
    assert str(caught.value) == message


def of_parcels(items="input.parcels", of=SHIP, **how):
    return Each(items, of, **how)


SAGAS = [
    (
        lambda: saga("charge"),
        "saga 'buy' has 'charge' among its steps, which is no Step, Wait, Delay, Parallel or Each",
    ),
    (
        lambda: saga([step("a"), step("b")]),
        "saga 'buy' has [",
    ),
    (
        lambda: saga(Parallel(step("a"), step("b")), step("a")),
        "saga 'buy': two steps are called 'a'; give one a name=",
    ),
    (
        lambda: saga(Parallel(step("a"), [step("b"), step("a")])),
        "saga 'buy': two steps are called 'a'; give one a name=",
    ),
    (
        lambda: saga(
            Parallel(step("a"), Step(send, compensation=None, inputs={"receipt": "a.receipt"}))
        ),
        "saga 'buy', step 'send': a.receipt names 'a', which is not the input nor an earlier step with an output",
    ),
    (
        lambda: saga(Parallel(Step(send, compensation=None), step("a"))),
        "saga 'buy', step 'send': nothing fills Send.receipt; say inputs={'receipt': '<source>.<field>'}",
    ),
    (
        lambda: saga(of_parcels("inptu.parcels")),
        (
            "saga 'buy', Each('inptu.parcels', ship): inptu.parcels names 'inptu', which is not the input nor an"
            " earlier step with an output, did you mean 'input'?"
        ),
    ),
    (
        lambda: saga(of_parcels("input.parcel")),
        (
            "saga 'buy', Each('input.parcel', ship): input.parcel names no field of Order,"
            " did you mean 'parcels'?"
        ),
    ),
    (
        lambda: saga(of_parcels("input.order_id")),
        "saga 'buy', Each('input.order_id', ship): input.order_id is <class 'str'>, and not a list of a pydantic model",
    ),
    (
        lambda: saga(of_parcels("input.tags")),
        "saga 'buy', Each('input.tags', ship): input.tags is list[str], and not a list of a pydantic model",
    ),
    (
        lambda: saga(Step(ship, compensation=None)),
        "saga 'buy', step 'ship': nothing fills Shipment.sku; say inputs={'sku': '<source>.<field>'}",
    ),
    (
        lambda: saga(Step(ship, compensation=None, inputs={"sku": "item.sku"})),
        (
            "saga 'buy', step 'ship': item.sku names 'item', which is not the input nor an earlier step with an output"
        ),
    ),
    (
        lambda: saga(
            of_parcels(), Step(send, compensation=None, inputs={"receipt": "ship.receipt"})
        ),
        "saga 'buy', step 'send': ship.receipt names a field of ship, whose output is a list; say 'ship'",
    ),
    *[
        (
            lambda stage=stage: saga(stage, Step(print_manifest, compensation=None)),
            "saga 'buy', step 'print_manifest': Manifest.ship is list[",
        )
        for stage in (
            of_parcels(of=Step(ship, compensation=None, on_failure="continue")),
            of_parcels(of=Step(ship, compensation=None, when="item.fragile")),
        )
    ],
    *[
        (
            lambda wrong=wrong: saga(step("a", when=wrong)),
            f"saga 'buy', step 'a': when is {wrong!r}; say '<source>.<field>' of a boolean, or 'not <source>.<field>'",
        )
        for wrong in (
            "gift",
            "",
            "input",
            "not gift",
            "input.gift and input.gift",
            "not not input.gift",
            True,
        )
    ],
    (
        lambda: saga(step("a", when="input.gfit")),
        "saga 'buy', step 'a': input.gfit names no field of Order, did you mean 'gift'?",
    ),
    (
        lambda: saga(step("a", when="input.note")),
        "saga 'buy', step 'a': when names input.note, which is str | None and not a bool",
    ),
    (
        lambda: saga(step("a", when="not input.maybe")),
        "saga 'buy', step 'a': when names input.maybe, which is bool | None and not a bool",
    ),
    (
        lambda: saga(step("a", when="b.gift"), step("b")),
        "saga 'buy', step 'a': b.gift names 'b', which is not the input nor an earlier step with an output",
    ),
    (
        lambda: saga(step("a", when="item.fragile")),
        "saga 'buy', step 'a': item.fragile names 'item', which is not the input nor an earlier step with an output",
    ),
    (
        lambda: saga(Parallel(step("a"), step("b"), when="input.note")),
        "saga 'buy', Parallel: when names input.note, which is str | None and not a bool",
    ),
    (
        lambda: saga(of_parcels(when="item.fragile")),
        (
            "saga 'buy', Each('input.parcels', ship): item.fragile names 'item', which is not the input nor an earlier"
            " step with an output"
        ),
    ),
    *[
        (
            lambda stage=stage: saga(stage, Step(send, compensation=None)),
            "saga 'buy', step 'send': Send.receipt comes from a.receipt, which may not have happened; let it be None",
        )
        for stage in (
            step("a", when="input.gift"),
            Parallel(step("a"), Step(tell, compensation=None), when="input.gift"),
            Parallel(step("a", when="input.gift"), Step(tell, compensation=None)),
        )
    ],
    (
        lambda: saga(step("a", pivot=True), step("b", pivot=True)),
        "saga 'buy': a and b are both the point of no return; a saga has one",
    ),
    (
        lambda: saga(Parallel(step("a", pivot=True), step("b"))),
        (
            "saga 'buy': a is the point of no return and stands in a stage of several branches: put it in the row of"
            " steps, where nothing runs beside it"
        ),
    ),
    (
        lambda: saga(of_parcels(of=Step(ship, compensation=None, pivot=True))),
        (
            "saga 'buy': ship is the point of no return and stands in a stage of several branches: put it in the row of"
            " steps, where nothing runs beside it"
        ),
    ),
    *[
        (
            lambda stages=stages: saga(*stages),
            (
                "saga 'buy', step 'wrap': say compensation=, None if it needs none; it may be left out past the point of"
                " no return alone"
            ),
        )
        for stages in (
            [Step(wrap)],
            [Step(wrap), step("a", pivot=True)],
            [Parallel(step("a"), Step(wrap))],
            [Parallel(step("a"), Step(wrap)), step("b", pivot=True)],
        )
    ],
]


@pytest.mark.parametrize(("define", "message"), SAGAS)
def test_a_saga_with_a_wrong_shape_is_refused(define, message):
    with pytest.raises(DefinitionError) as caught:
        define()
    told = str(caught.value)
    assert told == message or (message.endswith("[") and told.startswith(message))


def test_branches_may_be_a_hundred_and_no_more():
    names = [f"s{n}" for n in range(101)]
    assert len(Parallel(*[step(name) for name in names[:-1]]).branches) == 100
    with pytest.raises(DefinitionError, match="101 branches, and two to 100 are possible"):
        Parallel(*[step(name) for name in names])


def test_right_shapes_are_not_refused():
    made = saga(
        step("wrapped", when="input.gift"),
        Parallel(
            [step("a", verify=find_charge, settle=1.5), Step(send, compensation=None, inputs={"receipt": "a.receipt"})],
            Step(wrap, compensation=None, when="not input.gift"),
            undo="ordered",
        ),
        step("b", pivot=True, fallback=charge_otherwise),
        of_parcels(of=Step(ship), concurrency=2, when="input.gift"),
        Parallel(step("c"), Step(tell)),
    )  # fmt: skip
    assert [each.name for each in made.itinerary.steps] == [
        *("wrapped", "a", "send", "wrap", "b", "ship", "c", "tell")
    ]


def test_all_outputs_of_a_list_may_be_used_where_none_is_missing():
    made = saga(of_parcels(), Step(print_manifest, compensation=None))
    assert made.itinerary.records["print_manifest"].inputs == {"ship": "ship"}


@pytest.mark.parametrize("when", [None, "input.gift"])
def test_an_item_may_return_nothing(when):
    made = saga(of_parcels(of=Step(label, compensation=None), when=when), step("after"))
    assert [each.name for each in made.itinerary.steps] == ["label", "after"]


class Ended(BaseModel):
    outcome: str
    receipt: str | None
    error: str | None


class Refusal(BaseModel):
    error: str


@activity
def refuse(order: Order) -> Refusal: ...


def test_an_outcome_that_a_child_has_too_is_the_sagas_own():
    child = Saga("child", input=Order, output=Ended, steps=[step("charge")])
    own = saga(Child(child), output=Ended).itinerary.output
    assert own == {
        "outcome": "saga.outcome",
        "receipt": "child.receipt",
        "error": "saga.error",
    }
    said = saga(Child(child), output=Ended, outputs={"error": "child.error"}).itinerary.output
    assert said["error"] == "child.error"
    with pytest.raises(
        DefinitionError, match=r"error could come from .*refuse.error or saga.error"
    ):
        saga(Child(child), Step(refuse, compensation=None), output=Ended)
