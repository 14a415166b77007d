"""``--where`` of ``saga list``, ``saga stuck`` and the acts."""

import json

import pytest

from tests.support.sagas.parcel import Parcel, parcel_saga
from tests.unit.cli.test_lists import ids


@pytest.fixture
def parcels(app):
    """Start sagas, each with the values of its fields."""

    def start(**fields):
        app.set_current()
        for saga_id, (customer, price) in fields.items():
            parcel_saga.start(Parcel(customer=customer, price=price), saga_id=saga_id)

    return start


def test_list_finds_by_one_field_and_by_several(run, parcels, moves):
    parcels(a=("ada", 3), b=("ada", 4), c=("bob", 4))
    moves.start("v-1")

    def found(*options):
        return sorted(ids(run("list", "--json", *options)))

    assert found("--where", "customer=ada") == ["a", "b"]
    assert found("--where", "price=4.00") == ["b", "c"]
    assert found("--where", "customer=ada", "--where", "price=4") == ["b"]
    assert found("--where", "customer=ada", "--status", "completed") == []
    assert found("--where", "customer=ada", "--id", "a*", "--saga", "parcel") == ["a"]
    assert found("--where", "customer=eve") == []
    assert found("--where", "size=small") == ["a", "b", "c"]


def test_a_value_may_have_what_options_are_made_of(run, parcels):
    parcels(a=("x=1 --where y", 1), b=("", 1))
    assert ids(run("list", "--json", "--where", "customer=x=1 --where y")) == ["a"]
    assert ids(run("list", "--json", "--where", "customer=")) == ["b"]


def test_the_last_started_come_first_and_pages_follow(run, parcels):
    parcels(**{f"p{n}": ("ada", 1) for n in range(5)})
    whole = ids(run("list", "--json", "--where", "customer=ada"))
    first = json.loads(run("list", "--json", "--where", "customer=ada", "--limit", "3").output)
    options = ["--where", "customer=ada", "--limit", "3", "--after", first["after"]]
    second = json.loads(run("list", "--json", *options).output)
    assert [each["id"] for each in first["sagas"] + second["sagas"]] == whole
    assert second["after"] is None
    oldest = ids(run("list", "--json", "--oldest-first", "--where", "customer=ada"))
    assert oldest == whole[::-1]
    wrong = run("list", "--after", first["after"])
    assert wrong.exit_code == 2
    assert "a place in a listing by start" in wrong.stderr


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (["customer"], "'customer' is no search field with a value; write customer=ada"),
        (["=ada"], "'' is no search field"),
        (["the customer=ada"], "'the customer' is no search field"),
        (["customer=" + "x" * 129], "customer has 129 characters"),
        (["customer=ada", "customer=bob"], "customer is given twice"),
        (["custmer=ada"], "a search field 'custmer', did you mean 'customer'?; they have"),
        (["customer=eve", "custmer=ada"], "they have customer, price, size, stops"),
    ],
)
def test_a_wrong_field_is_a_wrong_usage(run, parcels, where, told):
    parcels(a=("ada", 1))
    options = [each for value in where for each in ("--where", value)]
    shown = run("list", *options)
    assert shown.exit_code == 2
    assert told in " ".join(shown.stderr.split())


def test_in_a_log_without_fields_or_sagas_nothing_is_found(run, moves):
    shown = run("list", "--where", "customer=ada")
    assert shown.exit_code == 0
    assert "This log has no saga yet" in shown.stderr
    moves.start("v-1")
    shown = run("list", "--where", "customer=ada")
    assert shown.exit_code == 2
    assert "a search field 'customer'; they have none" in " ".join(shown.stderr.split())


def test_a_field_is_known_once_sagas_had_it(run, parcels, log):
    parcels(a=("ada", 1))
    log.control.cancel_saga("a", error='{"type":"x","message":"y"}', actor={})
    log.maintenance.remove_sagas(["a"], kept_for=0.0)
    shown = run("list", "--where", "customer=ada")
    assert (shown.exit_code, shown.output) == (0, "No saga fits.\n")


def test_acts_and_stuck_take_it_too(run, parcels):
    parcels(a=("ada", 1), b=("ada", 2), c=("bob", 1))
    assert "No saga is stuck" in run("stuck", "--where", "customer=ada").output
    shown = run("cancel", "--where", "customer=ada", "--why", "she left", "--yes", "--json")
    assert shown.exit_code == 0, shown.output
    assert sorted(ids(run("list", "--json", "--outcome", "cancelled"))) == ["a", "b"]
    shown = run("cancel", "--where", "custmer=ada", "--why", "she left", "--yes")
    assert shown.exit_code == 2
