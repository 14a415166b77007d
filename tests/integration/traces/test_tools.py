"""What the tracing tools see of sagas, each run by its own instrumentation of Celery, chain and inline."""

from collections import Counter

import pytest

IDS = [
    f"{kind}-{dispatch}" for dispatch in ("chain", "inline") for kind in ("bug", "refused", "stuck")
]
TASKS = ("reserve", "charge", "charge", "ship", "release")


@pytest.fixture(scope="module")
def ran(traced):
    """Give what a tool noted, once these sagas came to rest."""
    with traced.worker() as worker:
        traced.start(*IDS)
        traced.wait_for(*IDS)
        traced.logged = worker.logged
    return traced


def errors_in(ran, saga_id):
    """Count the errors in a saga's trace, by their classes."""
    return Counter(name for each in ran.trace_of(saga_id) for name in each["errors"])


@pytest.mark.parametrize("saga_id", IDS)
def test_a_saga_has_one_trace(ran, saga_id):
    tasks = [each["task"] for each in ran.trace_of(saga_id) if each["task"] in TASKS]
    assert sorted(tasks) == sorted(TASKS)


@pytest.mark.parametrize("dispatch", ["chain", "inline"])
def test_its_attempts_are_side_by_side(ran, dispatch):
    noted = ran.trace_of(f"bug-{dispatch}")
    owners = {id_: each for each in noted for id_ in (each["id"], *each.get("holds", ()))}

    def above(note):
        while note := owners.get(note["parent"]):
            yield note["task"]

    attempts = [each for each in noted if each["task"] in TASKS]
    assert [each["what"] for each in attempts if {*above(each)} & {*TASKS}] == []


@pytest.mark.parametrize("saga_id", IDS)
def test_the_span_of_opentelemetry_s_instrumentation_is_the_attempt_s(ran, saga_id):
    if ran.tool == "opentelemetry_celery":
        attempts = [each["what"] for each in ran.trace_of(saga_id) if each["task"] in TASKS]
        assert sorted(attempts) == sorted(f"run/{task}" for task in TASKS)


def test_nothing_is_in_another_trace(ran):
    requests = {each["trace"] for each in ran.notes() if each.get("what") == "request"}
    assert {
        each["what"] for each in ran.notes() if each.get("trace", "") not in {"", *requests}
    } == set()


@pytest.mark.parametrize("dispatch", ["chain", "inline"])
def test_a_bug_is_an_error_once(ran, dispatch):
    assert errors_in(ran, f"bug-{dispatch}")["KeyError"] == 1


@pytest.mark.parametrize("dispatch", ["chain", "inline"])
def test_a_refusal_is_no_error(ran, dispatch):
    errors = errors_in(ran, f"refused-{dispatch}")
    assert errors.keys() <= {"ConnectionError"}  # the attempt's that was tried again


@pytest.mark.parametrize("dispatch", ["chain", "inline"])
def test_a_compensation_that_fails_for_good_is_an_error(ran, dispatch):
    assert errors_in(ran, f"stuck-{dispatch}")["KeyError"] == 2  # the step's, and its own


@pytest.mark.parametrize("saga_id", IDS)
def test_celery_tells_of_each_failure_once(ran, saga_id):
    own = [each for each in ran.notes() if str(each.get("task_id")).startswith(f"{saga_id}.")]
    failed = Counter((each["signal"], each["task"]) for each in own)
    fails = {
        "bug": {("task_failure", "ship"): 1},
        "refused": {},
        "stuck": {("task_failure", "ship"): 1, ("task_failure", "release"): 1},
    }
    assert failed == {("task_retry", "charge"): 1, **fails[saga_id.partition("-")[0]]}


@pytest.mark.parametrize("saga_id", IDS)
def test_the_worker_s_log_has_the_traceback_of_each_failure_but_of_no_refusal(ran, saga_id):
    log = ran.logged()
    assert f"saga {saga_id}: charge, attempt 1 failed, and is tried again" in log
    lines = [line for line in log.splitlines() if f"[{saga_id}." in line]
    errors = [line for line in lines if "raised unexpected" in line]
    expected = {"bug": 1, "refused": 0, "stuck": 2}
    assert len(errors) == expected[saga_id.partition("-")[0]]
