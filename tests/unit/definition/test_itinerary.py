"""A definition as data: its records, its plan for the scripts, its digest."""

import json

import pytest

from amends import RetryPolicy
from amends.definition.itinerary import Itinerary, records_of
from amends.definition.plans import ActivityPlan, StepPlan
from amends.definition.script_plan import script_plan
from amends.definition.serialization import class_name, fill
from sagas.order import order_saga
from tasks.inventory import InsufficientStock

ORDER = order_saga.itinerary


class OutOfStockForEver(InsufficientStock):
    pass


def plan_of(task, **inputs):
    return ActivityPlan(
        task=task,
        queue=None,
        priority=None,
        start_to_close_timeout=2.5,
        max_attempts=4,
        initial_interval=0.5,
        max_interval=8.0,
        backoff_coefficient=3.0,
        jitter=0.1,
        inputs=inputs,
    )


def record_of(step):
    """Return the record of a step's activity."""
    return next(records_of(step))


def step_of(name, *, outcome=None, **others):
    members = {"fallback": None, "compensation": None, "on_failure": "compensate", **others}
    activity = members.pop("activity", None) or plan_of(f"do.{name}")
    return StepPlan(name=name, activity=activity, outcome=outcome or {}, **members)


def itinerary_of(*steps):
    return Itinerary(
        saga="s", timeout=None, stages=tuple((step,) for step in steps), output={"a": "input.a"}
    )


def test_the_plan_of_the_order_saga_is_what_the_scripts_parse():
    assert script_plan(ORDER) == (
        "1,2,2u,3,3u,3f,3fu,4,4u,5\n"
        "validate_order|1:10000:i:\n"
        "reserve_inventory|2:30000:i:\n"
        "reserve_inventory:undo|2u:30000:i:\n"
        "process_payment|3:60000:i:\n"
        "process_payment:undo|3u:30000:i:\n"
        "process_payment:fallback|3f:30000:i:\n"
        "process_payment:fallback:undo|3fu:30000:i:\n"
        "create_shipment|4:30000:i:\n"
        "create_shipment:undo|4u:30000:i:\n"
        "send_notification|5:10000:4,i:c\n"
    )


def test_a_plan_numbers_the_sources_that_each_activity_reads_once():
    first = step_of("b", activity=plan_of("do.b", x="input.x"))
    second = step_of("a", activity=plan_of("do.a", x="b.x", y="b.y", z="input.z"))
    third = step_of(
        "c",
        activity=plan_of("do.c"),
        fallback=plan_of("do.c2", x="a.x"),
        compensation=plan_of("undo.c"),
        on_failure="continue",
    )
    assert script_plan(itinerary_of(first, second, third)) == (
        "1,2,3,3u,3f,3fu\n"
        "b|1:2500:i:\n"
        "a|2:2500:1,i:\n"
        "c|3:2500::c\n"
        "c:undo|3u:2500::c\n"
        "c:fallback|3f:2500:2:c\n"
        "c:fallback:undo|3fu:2500:2:c\n"
    )


def test_a_record_has_the_code_by_which_the_scripts_call_it():
    paths = [f"process_payment{each}" for each in ("", ":fallback", ":undo", ":fallback:undo")]
    codes = [order_saga.itinerary.code_of(path) for path in ["validate_order", *paths]]
    assert codes == ["1", "3", "3f", "3u", "3fu"]


def test_a_source_is_called_by_its_steps_number_or_i_for_the_input():
    assert ORDER.source_name("i") == "input"
    assert ORDER.source_name("4") == "create_shipment"


def test_an_itinerary_read_again_is_the_same_with_the_same_digest_and_plan():
    again = Itinerary.from_json(ORDER.json_text)
    assert again == ORDER
    assert again.digest == ORDER.digest
    assert script_plan(again) == script_plan(ORDER)


def test_the_digest_does_not_depend_on_the_order_in_which_things_were_named():
    members = json.loads(ORDER.json_text)
    turned = json.dumps(dict(reversed(members.items())), indent=2)
    assert Itinerary.from_json(turned).digest == ORDER.digest


@pytest.mark.parametrize(
    "change",
    [
        {"saga": "other"},
        {"timeout": 901.0},
        {"timeout": None},
        {"output": {}},
        {"stages": ORDER.stages[::-1]},
        {"stages": ORDER.stages[:-1]},
    ],
)
def test_another_itinerary_has_another_digest(change):
    other = Itinerary.model_validate({**ORDER.model_dump(), **change})
    assert other.digest != ORDER.digest


def test_a_step_has_a_record_for_each_activity_it_may_call():
    assert list(ORDER.records) == [
        "validate_order",
        "reserve_inventory",
        "reserve_inventory:undo",
        "process_payment",
        "process_payment:undo",
        "process_payment:fallback",
        "process_payment:fallback:undo",
        "create_shipment",
        "create_shipment:undo",
        "send_notification",
    ]


@pytest.mark.parametrize(
    ("path", "task", "compensates", "compensated_path"),
    [
        ("process_payment", "process_payment", None, "process_payment"),
        ("process_payment:fallback", "fallback_payment", None, "process_payment:fallback"),
        ("process_payment:undo", "refund_payment", "process_payment", "process_payment"),
        (
            "process_payment:fallback:undo",
            "refund_payment",
            "fallback_payment",
            "process_payment:fallback",
        ),
    ],
)
def test_a_record_knows_what_to_call_and_an_undo_what_it_takes_back(
    path, task, compensates, compensated_path
):
    record = ORDER.records[path]
    assert record.path == path
    assert record.step.name == "process_payment"
    assert record.call.task == f"tasks.payment.{task}"
    assert (record.compensates and record.compensates.task) == (
        compensates and f"tasks.payment.{compensates}"
    )
    assert record.compensated_path == compensated_path


def test_an_undo_gets_the_input_of_what_it_undoes():
    step = step_of(
        "a",
        activity=plan_of("do.a", x="input.x"),
        fallback=plan_of("do.a2", x="input.y"),
        compensation=plan_of("undo.a"),
    )
    records = itinerary_of(step).records
    assert records["a:undo"].inputs == {"x": "input.x"}
    assert records["a:fallback:undo"].inputs == records["a:fallback"].inputs == {"x": "input.y"}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (InsufficientStock, "out_of_stock"),
        (OutOfStockForEver, "out_of_stock"),
        (ConnectionRefusedError, "no_connection"),
        (FileNotFoundError, "reservation_failed"),
        (Exception, "reservation_failed"),
        (KeyboardInterrupt, "failed"),
    ],
)
def test_the_most_specific_class_that_an_error_has_names_the_outcome(error, outcome):
    names = {
        Exception: "reservation_failed",
        InsufficientStock: "out_of_stock",
        ConnectionError: "no_connection",
    }
    step = step_of("a", outcome={class_name(each): name for each, name in names.items()})
    assert record_of(step).outcome_of(error) == outcome


def test_an_error_that_no_class_fits_is_called_failed():
    step = step_of("a", outcome={class_name(InsufficientStock): "out_of_stock"})
    assert record_of(step).outcome_of(OSError) == "failed"


def test_the_retry_numbers_of_an_activity_are_in_the_log():
    assert plan_of("do.a").retry == RetryPolicy(
        max_attempts=4,
        initial_interval=0.5,
        max_interval=8.0,
        backoff_coefficient=3.0,
        jitter=0.1,
    )


@pytest.mark.parametrize(
    ("fields", "filled"),
    [
        ({"x": "input.a", "y": "b.a"}, {"x": 1, "y": 2}),
        ({"x": "input.none"}, {"x": None}),
        ({"x": "input.absent"}, {}),
        ({"x": "c.a", "y": "c.b"}, {"x": None, "y": None}),
        ({}, {}),
    ],
)
def test_each_field_is_filled_from_its_path(fields, filled):
    sources = {"input": {"a": 1, "none": None}, "b": {"a": 2}, "c": None}
    assert fill(fields, sources) == filled


def test_a_source_that_is_not_there_is_a_mistake():
    with pytest.raises(KeyError, match="d"):
        fill({"x": "d.a"}, {"input": {}})
