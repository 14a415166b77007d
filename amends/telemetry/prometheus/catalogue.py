"""Every metric: its name, its kind, its labels and what it tells.

The labels are bounded by what is defined and configured: sagas, steps, outcomes, breakers and queues.
"""

from typing import Final

from amends.telemetry.prometheus import archive_catalogue
from amends.telemetry.prometheus.breaker_metrics import OF_BREAKERS
from amends.telemetry.prometheus.metric import KNOWN
from amends.telemetry.prometheus.metric import define as _metric

_RECORD: Final = ("saga", "step", "channel")

# What the log counts

STARTED: Final = _metric(
    "counter", "amends_sagas_started_total", "saga", tells="Sagas that were started."
)
ENDED: Final = _metric(
    "counter",
    "amends_sagas_ended_total",
    *("saga", "status", "outcome"),
    tells="Sagas that ended, completed or compensated.",
)
TURNED_BACK: Final = _metric(
    "counter",
    "amends_sagas_turned_back_total",
    *("saga", "cause"),
    tells="Sagas that turned back: a service refused, a step failed, a wait was unanswered, the saga timed_out or was cancelled, its child or parent turned back. It is unknown of workers of an earlier release.",
)
STUCK: Final = _metric(
    "counter",
    "amends_sagas_stuck_total",
    "saga",
    tells="How often a saga became stuck, and waited for an operator.",
)
ACTS: Final = _metric(
    "counter",
    "amends_acts_total",
    *("saga", "act"),
    tells="Acts of operators: cancel, retry, skip, pause, resume.",
)
STEP_ATTEMPTS: Final = _metric(
    "counter",
    "amends_step_attempts_total",
    *(*_RECORD, "result"),
    tells="Claims of a step that ended: done, retried (also if a worker died or a circuit was open), failed.",
)
FALLBACKS: Final = _metric(
    "counter",
    "amends_step_fallbacks_total",
    *("saga", "step"),
    tells="How often a step went from its primary channel to its fallback.",
)
UNDO_ATTEMPTS: Final = _metric(
    "counter",
    "amends_compensation_attempts_total",
    *(*_RECORD, "result"),
    tells="Claims of a step's compensation that ended: done, retried, stuck.",
)
LATE_RESULTS: Final = _metric(
    "counter",
    "amends_step_late_results_total",
    *_RECORD,
    tells="Results of a step or its compensation that came after the claim was lost, and were not recorded.",
)
UNREGISTERED: Final = _metric(
    "counter",
    "amends_step_unregistered_total",
    *_RECORD,
    tells="Messages of a step or its compensation that met a worker which does not know the task.",
)
UNPARKED: Final = _metric(
    "counter",
    "amends_sagas_unparked_total",
    *_RECORD,
    tells="Parked sagas that went on by themselves, by the step or compensation that a worker could run then.",
)
OVERDUE: Final = _metric(
    "counter",
    "amends_sagas_overdue_total",
    "saga",
    tells="Sagas whose deadline passed beyond their point of no return.",
)
OMITTED: Final = _metric(
    "counter",
    "amends_steps_omitted_total",
    *_RECORD,
    tells="Steps that were not done, as their condition was false.",
)
VERIFIED: Final = _metric(
    "counter",
    "amends_verifications_total",
    *_RECORD,
    tells="Answers of receivers that were asked whether an attempt took effect.",
)
WAITS: Final = _metric(
    "counter",
    "amends_waits_total",
    *_RECORD,
    "result",
    tells="Waits for signals or for a time that began, and that ended with what they waited for.",
)
SIGNALS: Final = _metric(
    "counter", "amends_signals_total", *_RECORD, tells="Signals that sagas took or kept."
)
SAGA_DURATION: Final = _metric(
    "histogram",
    "amends_saga_duration_seconds",
    "saga",
    tells="Time of a saga from its start to its end.",
)
STEP_DURATION: Final = _metric(
    "histogram",
    "amends_step_duration_seconds",
    *_RECORD,
    tells="Time of an attempt at a step, from its claim to its end.",
)
UNDO_DURATION: Final = _metric(
    "histogram",
    "amends_compensation_duration_seconds",
    *_RECORD,
    tells="Time of an attempt at a step's compensation, from its claim to its end.",
)
_QUEUED: Final = "Time of a step's message from when it was to be in its queue to its claim."
QUEUE_TIME: Final = _metric("histogram", "amends_step_queue_seconds", "queue", tells=_QUEUED)
SAGAS: Final = _metric(
    "gauge", "amends_sagas", *("saga", "status"), tells="Sagas in the log, by status."
)

# How the log stands

OLDEST: Final = _metric(
    "gauge",
    "amends_sagas_oldest_seconds",
    "status",
    tells="How long the oldest saga of this status has had it, but for those that wait or begin later; 0 if there is none.",
)
WAITING: Final = _metric(
    "gauge",
    "amends_sagas_waiting",
    tells="Running sagas that wait for a signal or a time, and do nothing else.",
)
PAUSED: Final = _metric("gauge", "amends_sagas_paused", "saga", tells="Sagas that are paused.")
PAUSED_OLDEST: Final = _metric(
    "gauge",
    "amends_sagas_paused_oldest_seconds",
    tells="How long the first of them has been paused; 0 if there is none.",
)
PAUSED_DEADLINE: Final = _metric(
    "gauge",
    "amends_sagas_paused_deadline_seconds",
    tells="Time until the first deadline of a paused saga, which turns it back; +Inf if none has one.",
)
DUE: Final = _metric("gauge", "amends_sagas_due", tells="Sagas that wait for a sweep.")
SWEEP_LAG: Final = _metric(
    "gauge",
    "amends_sweep_lag_seconds",
    tells="How long the first of them has waited; it grows while no worker sweeps.",
)
WORKERS: Final = _metric(
    "gauge", "amends_workers", tells="Workers whose last heartbeat is at most 10 s old."
)
WORKER_MESSAGES: Final = _metric(
    "gauge",
    "amends_worker_messages",
    "worker",
    tells="Messages that live workers of this name (before the @) have fetched and not acknowledged, running ones included.",
)
LOG_UP: Final = _metric("gauge", "amends_log_up", tells="1 if the saga log is reachable, else 0.")
MEMORY_USED: Final = _metric(
    "gauge", "amends_log_memory_used_bytes", tells="Memory that the log's Redis uses."
)
MEMORY_LIMIT: Final = _metric(
    "gauge",
    "amends_log_memory_limit_bytes",
    tells="Memory that the log's Redis may use; 0 for no limit.",
)

# Schedules

TICKS: Final = _metric(
    "counter",
    "amends_schedule_ticks_total",
    *("schedule", "result"),
    tells="Ticks of schedules: fired (late ones too, which are counted again), skipped, missed, or failed to start as yet.",
)
SCHEDULE_STATE: Final = _metric(
    "gauge",
    "amends_schedule_state",
    *("schedule", "state"),
    tells="1 for a state that the schedule is in, else 0: running (its last saga has not ended), paused, or left (no worker has defined it for 5 minutes).",
)

# The outbox, if there is one

OUTBOX_UP: Final = _metric(
    "gauge", "amends_outbox_up", tells="1 if the outbox's database answers, else 0."
)
OUTBOX_STARTS: Final = _metric(
    "gauge",
    "amends_outbox_starts",
    "state",
    tells="Starts in the outbox: waiting to be delivered, or failing by a fault of their own.",
)
OUTBOX_OLDEST: Final = _metric(
    "gauge",
    "amends_outbox_oldest_seconds",
    "state",
    tells="How long ago the oldest of these was written; 0 if there is none.",
)

# The broker, and the scrape itself

BROKER_UP: Final = _metric("gauge", "amends_broker_up", tells="1 if the broker answers, else 0.")
QUEUE_MESSAGES: Final = _metric(
    "gauge",
    "amends_queue_messages",
    "queue",
    tells="Messages that wait in a queue, without those that workers have fetched.",
)
SCRAPE_DURATION: Final = _metric(
    "gauge", "amends_scrape_duration_seconds", tells="How long this scrape took."
)

_OTHERS: Final = [each for each in KNOWN if each not in OF_BREAKERS]
_AT: Final = _OTHERS.index(TICKS)
METRICS: Final = (*_OTHERS[:_AT], *OF_BREAKERS, *_OTHERS[_AT:], *archive_catalogue.METRICS)
"""All of them, in the order in which they are shown."""
