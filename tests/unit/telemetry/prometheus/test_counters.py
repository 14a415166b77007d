"""What the log counts, as Prometheus wants it."""

import pytest

from amends.backend.script_constants import ATTEMPT_BOUNDS, SAGA_BOUNDS
from amends.log.history import NAMES
from amends.telemetry.prometheus import counters as counted
from amends.telemetry.prometheus.counters import add_counted
from amends.telemetry.prometheus.families import Families

# By ended, sagas and ran; a verification by its answer; a child as the wait of its parent.
TOLD_ELSEWHERE = {
    *("saga.finished", "step.started", "step.compensating", "step.verifying"),
    "saga.adopted",
}


def samples(counters):
    """Collect every sample that comes of these counters, by name and labels."""
    families = Families()
    add_counted(families, counters)
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_every_event_is_counted_as_something_or_told_by_another_counter():
    records = counted._OF_STEPS.keys() | counted._OF_UNDOS.keys()
    meant = counted._OF_SAGAS.keys() | records | counted._OF_VERIFICATIONS.keys()
    assert meant | TOLD_ELSEWHERE == set(NAMES)
    assert not meant & TOLD_ELSEWHERE


@pytest.mark.parametrize(
    ("event", "path", "sample"),
    [
        ("saga.started", "", ("amends_sagas_started_total", "order")),
        ("saga.stuck", "", ("amends_sagas_stuck_total", "order")),
        ("saga.cancelled", "", ("amends_acts_total", "cancel", "order")),
        ("step.skipped", "pay:undo", ("amends_acts_total", "order", "skip")),
        (
            "step.completed",
            "pay",
            ("amends_step_attempts_total", "done", "order", "pay", "primary"),
        ),
        (
            "step.failed",
            "pay:fallback",
            ("amends_step_attempts_total", "failed", "fallback", "order", "pay"),
        ),
        ("step.switching", "pay", ("amends_step_fallbacks_total", "order", "pay")),
        (
            "step.retrying",
            "pay:undo",
            ("amends_compensation_attempts_total", "order", "pay", "primary", "retried"),
        ),
        (
            "step.stuck",
            "pay:fallback:undo",
            ("amends_compensation_attempts_total", "fallback", "order", "pay", "stuck"),
        ),
        ("step.late", "pay:undo", ("amends_step_late_results_total", "order", "pay", "primary")),
    ],
)
def test_an_event_is_counted_under_its_saga_step_and_channel(event, path, sample):
    assert samples({("event", event, "order", path): 7})[sample] == 7


def test_what_turned_back_is_told_by_its_cause_and_what_an_earlier_release_counted_as_unknown():
    counters = {
        ("event", "saga.compensating", "order", ""): 10,
        ("turned", "order", "refused"): 4,
        ("turned", "order", "failed"): 3,
    }
    found = samples(counters)
    name = "amends_sagas_turned_back_total"
    by_cause = {
        frozenset(key[1:]) - {"order"}: n for key, n in found.items() if key[0] == name and n
    }
    assert by_cause == {
        frozenset({cause}): n for cause, n in (("refused", 4), ("failed", 3), ("unknown", 3))
    }
    assert found[name, "cancelled", "order"] == 0


def test_skips_of_several_records_are_added_up():
    counters = {("event", "step.skipped", "order", path): 2 for path in ("pay:undo", "ship")}
    assert samples(counters)["amends_acts_total", "order", "skip"] == 4


def test_a_record_that_was_seen_has_a_0_for_all_that_may_happen_to_it():
    found = samples({("event", "step.started", "order", "pay"): 1})
    for result in ("done", "retried", "failed"):
        key = ("amends_step_attempts_total", *sorted(["order", "pay", "primary", result]))
        assert found[key] == 0
    assert found["amends_sagas", "order", "stuck"] == 0


def test_a_histogram_is_cumulative_and_its_sum_in_seconds():
    found = samples(
        {
            ("took", "order", "0.25"): 2,
            ("took", "order", "5"): 3,
            ("took", "order", "inf"): 1,
            ("took", "order", "sum"): 90_500,
        }
    )
    bucket = "amends_saga_duration_seconds_bucket"
    assert found[bucket, "0.1", "order"] == 0
    assert found[bucket, "0.25", "order"] == 2
    assert found[bucket, "2.5", "order"] == 2
    assert found[bucket, "5.0", "order"] == 5
    assert found[bucket, "86400.0", "order"] == 5
    assert found[bucket, "+Inf", "order"] == 6
    assert found["amends_saga_duration_seconds_count", "order"] == 6
    assert found["amends_saga_duration_seconds_sum", "order"] == 90.5


def test_a_histogram_has_every_bound_from_the_first_time_on():
    """Else a bound that appears later would seem to have come to all it has at once."""
    found = samples({("ran", "order", "pay", "inf"): 1, ("took", "order", "inf"): 1})
    bounds = {key[1] for key in found if key[0] == "amends_saga_duration_seconds_bucket"}
    assert bounds == {*(str(float(bound)) for bound in SAGA_BOUNDS), "+Inf"}
    bounds = {key[1] for key in found if key[0] == "amends_step_duration_seconds_bucket"}
    assert bounds == {*(str(float(bound)) for bound in ATTEMPT_BOUNDS), "+Inf"}


def test_an_undo_has_a_histogram_of_its_own():
    found = samples({("ran", "order", "pay:undo", "inf"): 1, ("ran", "order", "pay", "inf"): 2})
    labels = ("order", "pay", "primary")
    assert found["amends_compensation_duration_seconds_count", *labels] == 1
    assert found["amends_step_duration_seconds_count", *labels] == 2


def test_times_in_queues_are_told_by_the_queue_whose_name_may_have_anything_in_it():
    found = samples(
        {
            ("queued", "orders", "0.01"): 3,
            ("queued", "orders", "3600"): 1,
            ("queued", "orders", "sum"): 900_500,
            ("queued", "odd", "name", "inf"): 2,
        }
    )
    assert found["amends_step_queue_seconds_bucket", "0.01", "orders"] == 3
    assert found["amends_step_queue_seconds_bucket", "3600.0", "orders"] == 4
    assert found["amends_step_queue_seconds_sum", "orders"] == 900.5
    assert found["amends_step_queue_seconds_count", "odd|name"] == 2


def test_what_a_later_release_counts_is_passed_over():
    assert samples({("another", "kind"): 1, ("event", "saga.dreamt", "order", ""): 1})
