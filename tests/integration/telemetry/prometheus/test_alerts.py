"""Each alert fires when it should, and not when it should not, as Prometheus' own promtool judges."""

import re

import pytest

from tests.integration.telemetry.prometheus.rules import ALERTS, RULES, judged

COMPLETED = 'amends_sagas_ended_total{saga="order",status="completed",outcome="completed"}'
FALLBACKS = 'amends_step_fallbacks_total{saga="order",step="pay"}'
UNKNOWN = 'amends_step_unregistered_total{saga="order",step="pay",channel="primary"}'
DONE = 'amends_step_attempts_total{saga="order",step="pay",channel="primary",result="done"}'
QUEUE = 'amends_queue_messages{queue="orders"}'
LIMIT = "amends_log_memory_limit_bytes"
RETRY_AFTER = 'amends_breaker_retry_after_seconds{breaker="bank"}'
USED = "amends_log_memory_used_bytes"


def turned(cause):
    return f'amends_sagas_turned_back_total{{saga="order",cause="{cause}"}}'


# Samples a minute, for two hours: in the first case it fires at the end (of those in FIRES in so many), in the others it never
# does. `1+2x3` is 1 3 5 7, `1x3` is 1 1 1 1.
FIRES = {"SagasFail": 2, "StepsServedByFallback": 2, "QueueGrowsAndNothingIsDone": 2}
CASES = {
    "SagasStuck": [
        {'amends_sagas{saga="order",status="stuck"}': "0x100 2x20"},
        {'amends_sagas{saga="order",status="stuck"}': "0x120"},
    ],
    "ManySagasStuck": [
        {'amends_sagas{saga="order",status="stuck"}': "0x100 20x20"},
        {'amends_sagas{saga="order",status="stuck"}': "19x120"},
        {f'amends_sagas{{saga="{saga}",status="stuck"}}': "7x120" for saga in ("a", "b", "c")},
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
    "CompensationDoesNotEnd": [
        {'amends_sagas_oldest_seconds{status="compensating"}': "7200+120x120"},
        {'amends_sagas_oldest_seconds{status="compensating"}': "0+60x120"},
        {'amends_sagas_oldest_seconds{status="running"}': "0+600x120"},
    ],
    "SagaPausedForLong": [
        {"amends_sagas_paused_oldest_seconds": "80000+60x120"},
        {"amends_sagas_paused_oldest_seconds": "0+60x120"},
        {"amends_sagas_paused_oldest_seconds": "0x120"},
    ],
    "PausedSagaMeetsItsDeadline": [
        {"amends_sagas_paused_deadline_seconds": "9000-60x120"},
        {"amends_sagas_paused_deadline_seconds": "90000-60x120"},
        {"amends_sagas_paused_deadline_seconds": "90000000x120"},
    ],
    "SagasFail": [
        {COMPLETED: "0+2x120", turned("failed"): "0x80 0+1x40"},
        {COMPLETED: "0x120", turned("timed_out"): "0x80 0+1x40"},  # all of them
        {COMPLETED: "0+9x120", turned("failed"): "0+1x120"},  # a tenth
        {turned("failed"): "0x80 1x20 2x10 3x10", COMPLETED: "0x120"},  # a handful: 100 % of three
        {COMPLETED: "0+2x120", turned("refused"): "0+9x120"},
        {COMPLETED: "0+2x120", turned("cancelled"): "0+9x120"},
        {COMPLETED: "0+2x120", turned("unanswered"): "0+9x120"},
        {COMPLETED: "0+2x120", turned("child"): "0+9x120", turned("parent"): "0+9x120"},
        {turned("failed"): "5x120", COMPLETED: "5x120"},  # nothing goes on: 0 / 0
        {COMPLETED: "0+9x120"},
    ],
    "MostSagasFail": [
        {COMPLETED: "0+2x120", turned("failed"): "0x80 0+5x40"},
        {COMPLETED: "0+2x120", turned("failed"): "0+3x120"},  # 45 in 15 minutes
        {COMPLETED: "0+20x120", turned("failed"): "0+10x120"},  # a third
        {COMPLETED: "0+2x120", turned("refused"): "0+50x120"},
    ],
    "SagasRefused": [
        {COMPLETED: "0+1x120", turned("refused"): "0x60 0+2x60"},
        {COMPLETED: "0x120", turned("refused"): "0x60 0+1x15 15x45"},  # 100 % of fifteen
        {COMPLETED: "0+3x120", turned("refused"): "0+1x120"},
        {COMPLETED: "0+1x120", turned("failed"): "0+5x120"},
        {COMPLETED: "5x120", turned("refused"): "50x120"},
    ],
    "StepsServedByFallback": [
        {DONE: "0+4x120", FALLBACKS: "0+1x120"},
        {DONE: "0x120", FALLBACKS: "0+1x120"},  # all of them
        {DONE: "0+4x120", FALLBACKS: "0x120"},
        {DONE: "0x120", FALLBACKS: "0x80 1x20 2x20"},  # 100 % of one
        {DONE: "0+19x120", FALLBACKS: "0+1x120"},
        {DONE: "9x120", FALLBACKS: "9x120"},
    ],
    "TaskUnknownToWorkers": [
        {UNKNOWN: "0x118 1x2"},
        {UNKNOWN: "5x120"},
    ],
    "TaskUnknownForLong": [
        {UNKNOWN: "0x80 0+1x40"},
        {UNKNOWN: "0x80 3x40"},  # a deploy
    ],
    "NoWorker": [{"amends_workers": "2x100 0x20"}, {"amends_workers": "1x120"}],
    "NobodySweeps": [
        {"amends_sweep_lag_seconds": "0x100 0+60x20"},
        {"amends_sweep_lag_seconds": "0 5 0 8x118"},
    ],
    "QueueGrowsAndNothingIsDone": [
        {QUEUE: "0x100 20+5x20", DONE: "0+3x90 270x30"},
        {QUEUE: "0x100 20+5x20"},  # no step ever ended
        {QUEUE: "0x100 20+5x20", DONE: "0+3x120"},
        {QUEUE: "20x120", DONE: "270x120"},
        {QUEUE: "0x110 0+1x10", DONE: "270x120"},
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
    "OutboxStartsFailForLong": [
        {'amends_outbox_oldest_seconds{state="failing"}': "0+60x120"},
        {'amends_outbox_oldest_seconds{state="failing"}': "0+20x120"},
        {'amends_outbox_oldest_seconds{state="waiting"}': "0+60x120"},
    ],
    "ArchiveFails": [
        {"amends_archive_failing_seconds": "0x90 60+60x30"},
        {"amends_archive_failing_seconds": "0 60 600 0 0 800 0x115"},
    ],
    "BrokerAway": [{"amends_broker_up": "1x100 0x20"}, {"amends_broker_up": "1x120"}],
    "SagaLogFills": [
        {USED: "85x120", LIMIT: "100x120"},
        {USED: "75x120", LIMIT: "100x120"},
        {USED: "85x120", LIMIT: "0x120"},  # there is no limit
    ],
    "SagaLogNearlyFull": [
        {USED: "95x120", LIMIT: "100x120"},
        {USED: "50x120", LIMIT: "100x120"},
        {USED: "95x120", LIMIT: "0x120"},  # there is no limit
    ],
    "SagaMetricsAbsent": [{"amends_log_up": "1x100 _x20"}, {"amends_log_up": "0x120"}],
}


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not():
    assert RULES.keys() == CASES.keys()
    assert all(len(cases) > FIRES.get(name, 1) for name, cases in CASES.items())


def test_each_fires_when_it_should_and_never_else(promtool):
    promtool.test(
        {
            name: [
                judged(name, series, fires=k < FIRES.get(name, 1)) for k, series in enumerate(cases)
            ]
            for name, cases in CASES.items()
        }
    )


def told(name, series, *, at, **expected):
    """Give what promtool is to look at: what an alert says then."""
    return {
        "interval": "1m",
        "input_series": [{"series": key, "values": value} for key, value in series.items()],
        "alert_rule_test": [
            {
                "eval_time": at,
                "alertname": name,
                "exp_alerts": [{"exp_labels": expected.pop("labels"), "exp_annotations": expected}],
            }
        ],
    }


@pytest.mark.parametrize(
    ("repository", "runbook"),
    [
        (None, "docs/monitoring.md"),
        ("https://git.example.com/a", "https://git.example.com/a/docs/monitoring.md"),
    ],
)
def test_a_share_is_100_percent_at_most_and_the_runbook_is_where_the_repository_is(
    promtool, repository, runbook
):
    saga, both = {"saga": "order"}, {"saga": "order", "step": "pay"}
    cases = {
        # Sagas that turn back now end later: more turn back than end.
        "SagasFail": ({turned("failed"): "0+30x120", COMPLETED: "0x120"}, saga),
        "MostSagasFail": ({turned("failed"): "0+30x120", COMPLETED: "0x120"}, saga),
        "SagasRefused": ({turned("refused"): "0+30x120", COMPLETED: "0x120"}, saga),
        # A step that went to the fallback and is not done as yet.
        "StepsServedByFallback": ({FALLBACKS: "0+30x120", DONE: "0+1x10 10x110"}, both),
    }
    summaries = {
        "SagasFail": "100% of order fail",
        "MostSagasFail": "100% of order fail, which are many",
        "SagasRefused": "100% of order are refused",
        "StepsServedByFallback": "order, pay: 100% go to the fallback",
    }
    outside = {"external_labels": {"amends_repository": repository}} if repository else {}
    promtool.test(
        {
            name: [
                told(
                    name,
                    series,
                    at="119m",
                    labels={**labels, "severity": RULES[name]["labels"]["severity"]},
                    summary=summaries[name],
                    description=filled(RULES[name]["annotations"]["description"], labels),
                    runbook_url=f"{runbook}#{name.lower()}",
                )
                | outside
            ]
            for name, (series, labels) in cases.items()
        }
    )


def filled(text, labels):
    return re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], text)


def test_promtool_has_nothing_against_the_rules(promtool):
    found = promtool.run("check", "config", str(ALERTS.parent / "prometheus.yml"))
    assert found.returncode == 0, found.stdout + found.stderr
