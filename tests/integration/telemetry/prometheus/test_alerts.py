"""Each alert fires when it should, and not when it should not, as Prometheus' own promtool judges."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ALERTS = Path(__file__).parents[4] / "monitoring" / "alerts.yml"
ENDED = "amends_sagas_ended_total"
DONE = 'amends_step_attempts_total{saga="order",step="pay",channel="primary",result="done"}'
QUEUE = 'amends_queue_messages{queue="orders"}'
LIMIT = "amends_log_memory_limit_bytes"
RETRY_AFTER = 'amends_breaker_retry_after_seconds{breaker="bank"}'
USED = "amends_log_memory_used_bytes"

# Samples a minute, for two hours: in the first case it fires at the end, in the others it never does.
# `1+2x3` is 1 3 5 7, `1x3` is 1 1 1 1.
CASES = {
    "SagasStuck": [
        {'amends_sagas{saga="order",status="stuck"}': "0x100 2x20"},
        {'amends_sagas{saga="order",status="stuck"}': "0x120"},
    ],
    "SagaStuckForLong": [
        {'amends_sagas_oldest_seconds{status="stuck"}': "0+60x120"},
        {'amends_sagas_oldest_seconds{status="stuck"}': "0+20x120"},
        {'amends_sagas_oldest_seconds{status="running"}': "0+60x120"},
    ],
    "SagaDoesNotEnd": [
        {'amends_sagas_oldest_seconds{status="compensating"}': "0+60x120"},
        {'amends_sagas_oldest_seconds{status="stuck"}': "0+60x120"},
    ],
    "SagasFail": [
        {
            f'{ENDED}{{saga="order",status="completed",outcome="completed"}}': "0+2x120",
            f'{ENDED}{{saga="order",status="compensated",outcome="lost"}}': "0x80 0+1x40",
        },
        {
            f'{ENDED}{{saga="order",status="completed",outcome="completed"}}': "0+9x120",
            f'{ENDED}{{saga="order",status="compensated",outcome="lost"}}': "0+1x120",
        },
        {
            f'{ENDED}{{saga="order",status="completed",outcome="completed"}}': "0+2x120",
            f'{ENDED}{{saga="order",status="compensated",outcome="cancelled"}}': "0+9x120",
        },
        {f'{ENDED}{{saga="order",status="completed",outcome="completed"}}': "5x120"},
    ],
    "StepsServedByFallback": [
        {DONE: "0+4x120", 'amends_step_fallbacks_total{saga="order",step="pay"}': "0+1x120"},
        {DONE: "0+4x120", 'amends_step_fallbacks_total{saga="order",step="pay"}': "0x120"},
    ],
    "TaskUnknownToWorkers": [
        {'amends_step_unregistered_total{saga="order",step="pay",channel="primary"}': "0x118 1x2"},
        {'amends_step_unregistered_total{saga="order",step="pay",channel="primary"}': "5x120"},
    ],
    "NoWorker": [{"amends_workers": "2x100 0x20"}, {"amends_workers": "1x120"}],
    "NobodySweeps": [
        {"amends_sweep_lag_seconds": "0x100 0+60x20"},
        {"amends_sweep_lag_seconds": "0 5 0 8x118"},
    ],
    "QueueGrowsAndNothingIsDone": [
        {QUEUE: "0x100 20+5x20", DONE: "0+3x90 270x30"},
        {QUEUE: "0x100 20+5x20", DONE: "0+3x120"},
        {QUEUE: "20x120", DONE: "270x120"},
    ],
    "CircuitOpenForLong": [
        {  # it lets a call through now and then
            'amends_breaker_state{breaker="bank",state="open"}': "0x90 " + "1 0 " * 15,
            'amends_breaker_state{breaker="bank",state="half_open"}': "0x90 " + "0 1 " * 15,
            RETRY_AFTER: "0x90 " + "30 0 " * 15,
        },
        {
            'amends_breaker_state{breaker="bank",state="open"}': "0 1 1 0x117",
            RETRY_AFTER: "0 60 30 0x117",
        },
        {  # since then nobody has called
            'amends_breaker_state{breaker="bank",state="open"}': "0 1 1 1x117",
            RETRY_AFTER: "0 60 30 0x117",
        },
        {'amends_breaker_state{breaker="bank",state="closed"}': "1x120"},
    ],
    "CircuitOverridden": [
        {'amends_breaker_state{breaker="bank",state="disabled"}': "0x20 1x100"},
        {'amends_breaker_state{breaker="bank",state="disabled"}': "0x100 1x20"},
    ],
    "ScheduleMissesTicks": [
        {'amends_schedule_ticks_total{schedule="nightly",result="missed"}': "0x100 1x20"},
        {'amends_schedule_ticks_total{schedule="nightly",result="skipped"}': "0+1x120"},
        {'amends_schedule_ticks_total{schedule="nightly",result="missed"}': "5x120"},
    ],
    "ScheduleStandsStill": [
        {'amends_schedule_state{schedule="nightly",state="left"}': "0x100 1x20"},
        {
            'amends_schedule_state{schedule="nightly",state="left"}': "0x120",
            'amends_schedule_state{schedule="nightly",state="paused"}': "1x120",
        },
    ],
    "SagaLogAway": [{"amends_log_up": "1x100 0x20"}, {"amends_log_up": "1x120"}],
    "OutboxStandsStill": [
        {'amends_outbox_oldest_seconds{state="waiting"}': "0x100 0+60x20"},
        {
            'amends_outbox_oldest_seconds{state="waiting"}': "90 0 30 0 100 0x115",
            'amends_outbox_oldest_seconds{state="failing"}': "0+60x120",
        },
    ],
    "OutboxAway": [{"amends_outbox_up": "1x100 0x20"}, {"amends_outbox_up": "1x120"}],
    "OutboxStartsFail": [
        {'amends_outbox_starts{state="failing"}': "0x100 1x20"},
        {
            'amends_outbox_starts{state="failing"}': "0x120",
            'amends_outbox_starts{state="waiting"}': "5x120",
        },
    ],
    "ArchiveFails": [
        {"amends_archive_failing_seconds": "0x90 60+60x30"},
        {"amends_archive_failing_seconds": "0 60 600 0 0 800 0x115"},
    ],
    "BrokerAway": [{"amends_broker_up": "1x100 0x20"}, {"amends_broker_up": "1x120"}],
    "SagaLogNearlyFull": [
        {USED: "95x120", LIMIT: "100x120"},
        {USED: "50x120", LIMIT: "100x120"},
        {USED: "95x120", LIMIT: "0x120"},  # there is no limit
    ],
    "SagaMetricsAbsent": [{"amends_log_up": "1x100 _x20"}, {"amends_log_up": "0x120"}],
}


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not():
    groups = YAML(typ="safe").load(ALERTS)["groups"]
    assert {rule["alert"] for group in groups for rule in group["rules"]} == CASES.keys()
    assert all(len(cases) >= 2 for cases in CASES.values())


def judged(name, series, *, fires):
    """Give what promtool is to look at: whether an alert fires at the end, or never did."""
    now = f'count(ALERTS{{alertname="{name}",alertstate="firing"}}) > bool 0'
    ever = f'count(count_over_time(ALERTS{{alertname="{name}",alertstate="firing"}}[2h])) > bool 0'
    return {
        "interval": "1m",
        "input_series": [{"series": key, "values": value} for key, value in series.items()],
        "promql_expr_test": [
            {
                "expr": now if fires else ever,
                "eval_time": "119m",
                "exp_samples": [{"labels": "{}", "value": 1}] if fires else [],
            }
        ],
    }


@pytest.mark.parametrize("name", CASES)
def test_it_fires_when_it_should_and_never_else(name, tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: Debian's package `prometheus` has it")
    tests = [judged(name, series, fires=k == 0) for k, series in enumerate(CASES[name])]
    file = tmp_path / "cases.json"  # which is YAML too
    file.write_text(json.dumps({"rule_files": [str(ALERTS)], "tests": tests}), encoding="utf-8")
    found = subprocess.run(
        [promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr


def test_promtool_has_nothing_against_the_rules(tmp_path):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: Debian's package `prometheus` has it")
    found = subprocess.run(
        [promtool, "check", "config", str(ALERTS.parent / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr
