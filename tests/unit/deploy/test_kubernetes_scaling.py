"""How KEDA scales the workers: by queries that parse, ask for what the exporter has, and answer what they should."""

import json
import re
import shutil
import subprocess

import promql_parser
import pytest

import tasks
from amends.telemetry.prometheus import catalogue
from tests.support.kubernetes import WORKERS, of_kind, option_of
from tests.support.promql import SERIES, selectors

SCALED = of_kind("ScaledObject")
# https://keda.sh/docs/latest/reference/scaledobject-spec/ and https://keda.sh/docs/latest/scalers/prometheus/
SPEC = {
    "scaleTargetRef": dict,
    "pollingInterval": int,
    "cooldownPeriod": int,
    "initialCooldownPeriod": int,
    "idleReplicaCount": int,
    "minReplicaCount": int,
    "maxReplicaCount": int,
    "fallback": dict,
    "advanced": dict,
    "triggers": list,
}
TRIGGER = {"type": str, "metadata": dict, "name": str, "metricType": str, "useCachedMetrics": bool}
TRIGGER |= {"authenticationRef": dict}
METADATA = {"serverAddress", "query", "threshold", "activationThreshold", "queryParameters"}
METADATA |= {"namespace", "customHeaders", "ignoreNullValues", "unsafeSsl", "authModes", "timeout"}
BEHAVIOUR = {"stabilizationWindowSeconds": int, "policies": list, "selectPolicy": str}

WAITING = 'amends_queue_messages{queue="orders"}'
PAYMENTS = 'amends_queue_messages{queue="payments"}'
UNDOS = 'amends_queue_messages{queue="compensations"}'
IN_HAND = 'amends_worker_messages{worker="orders"}'
UNDOS_IN_HAND = 'amends_worker_messages{worker="compensations"}'
QUIET = {"amends_log_up": 1, "amends_sagas_due": 0, WAITING: 0, PAYMENTS: 0, UNDOS: 0}
LOG_AWAY = {"amends_log_up": 0, WAITING: 9, UNDOS: 9}
BROKER_AWAY = {"amends_log_up": 1, "amends_sagas_due": 3, IN_HAND: 4, UNDOS_IN_HAND: 2}


def seen_twice(series):
    """Return what Prometheus has of two exporters."""
    return {
        f'{name.removesuffix("}")}{"," if "{" in name else "{"}pod="{pod}"}}': value
        for name, value in series.items()
        for pod in ("old", "new")
    }


CASES = {  # what the queries of the workers and of those for compensations answer, None for nothing
    "nothing to do": (QUIET, 0, 0),
    "queues, and no worker": ({**QUIET, WAITING: 5, PAYMENTS: 2, UNDOS: 3}, 7, 3),
    "empty queues, and all at work": ({**QUIET, IN_HAND: 12, UNDOS_IN_HAND: 4}, 12, 4),
    "a sweep has to publish": ({**QUIET, "amends_sagas_due": 6, IN_HAND: 1}, 7, 0),
    "a second exporter": (seen_twice({**QUIET, WAITING: 5, IN_HAND: 2, UNDOS: 1}), 7, 1),
    "the log is away": (LOG_AWAY, None, None),
    "the broker is away": (BROKER_AWAY, None, None),
    "the exporter is away": ({}, None, None),
}


@pytest.fixture(params=WORKERS)
def worker(request):
    return request.param


def trigger_of(worker):
    """Return the metadata of the one trigger that scales these workers."""
    (trigger,) = SCALED[worker]["spec"]["triggers"]
    assert trigger["type"] == "prometheus"
    return trigger["metadata"]


def assert_fits(given, known, *required):
    assert set(required) <= given.keys() <= known.keys()
    assert [name for name, value in given.items() if type(value) is not known[name]] == []


def test_it_is_an_object_as_keda_documents_it(worker):
    scaled = SCALED[worker]
    assert scaled.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    spec = scaled["spec"]
    assert_fits(spec, SPEC, "scaleTargetRef", "triggers")
    assert spec["scaleTargetRef"] == {"name": worker}
    assert worker in of_kind("Deployment")
    for trigger in spec["triggers"]:
        assert_fits(trigger, TRIGGER, "type", "metadata")
        assert {"serverAddress", "query", "threshold"} <= trigger["metadata"].keys() <= METADATA
        assert {type(value) for value in trigger["metadata"].values()} == {str}
    assert spec["advanced"].keys() == {"horizontalPodAutoscalerConfig"}
    behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour.keys() == {"scaleDown"}
    assert_fits(behaviour["scaleDown"], BEHAVIOUR)
    for policy in behaviour["scaleDown"]["policies"]:
        assert_fits(policy, {"type": str, "value": int, "periodSeconds": int}, "type", "value")
        assert policy["type"] in ("Pods", "Percent")


def test_it_keeps_a_worker_that_sweeps_and_forgets_no_work_at_one_low_answer(worker):
    spec = SCALED[worker]["spec"]
    assert 1 < spec["minReplicaCount"] < spec["maxReplicaCount"]
    assert "idleReplicaCount" not in spec
    down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] >= 4 * spec["pollingInterval"]


def test_a_query_that_answers_nothing_leaves_the_workers_as_they_are(worker):
    assert trigger_of(worker)["ignoreNullValues"] == "false"
    assert "fallback" not in SCALED[worker]["spec"]


def test_a_worker_has_as_much_to_do_as_it_has_processes(worker):
    assert trigger_of(worker)["threshold"] == option_of(worker, "--concurrency")


def test_a_query_parses_and_asks_for_what_the_exporter_has(worker):
    query = trigger_of(worker)["query"]
    promql_parser.parse(query)
    asked = selectors(query)
    assert {each.name for each in asked} <= SERIES.keys()
    assert {catalogue.QUEUE_MESSAGES.name, catalogue.WORKER_MESSAGES.name} <= {
        e.name for e in asked
    }
    for selector in asked:
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= set(SERIES[selector.name].labels)
    assert set(re.findall(r"by \((\w+)\)", query)) <= set(catalogue.QUEUE_MESSAGES.labels)


def test_a_query_names_queues_and_workers_that_there_are(worker):
    names = {"queue": tasks.app.conf.task_queues.keys()}
    names["worker"] = {option_of(worker, "--hostname").partition("@")[0]}
    for selector in selectors(trigger_of(worker)["query"]):
        for matcher in selector.matchers.matchers:
            assert matcher.value in names[matcher.name]


@pytest.mark.parametrize("case", CASES)
def test_a_query_adds_up_what_is_to_do(worker, case, tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: Debian's package `prometheus` has it")
    series, *expected = CASES[case]
    value = dict(zip(WORKERS, expected, strict=True))[worker]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": f"{v}"} for name, v in series.items()],
        "promql_expr_test": [
            {
                "expr": trigger_of(worker)["query"],
                "eval_time": "0m",
                "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
            }
        ],
    }
    file = tmp_path / "case.json"  # which is YAML too
    file.write_text(json.dumps({"tests": [test]}), encoding="utf-8")
    command = [promtool, "test", "rules", str(file)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
