"""What a scrape shows of the saga log."""

from celery import Celery

from amends.log.saga_log import log_of
from amends.telemetry.prometheus.counters import add_counted
from amends.telemetry.prometheus.families import Families
from amends.telemetry.prometheus.gauges import add_paused, add_readings, add_schedules


def add_log(app: Celery, families: Families) -> None:
    """Add what the log counts and how it stands.

    Raises `LogUnavailable`, and `ConfigurationError` if the log has other shards than the app, or another layout: only a part of it
    would be counted.
    """
    log = log_of(app)
    log.check_layout()
    counters = log.read_counters()
    add_counted(families, counters)
    add_paused(families, log, {words[2] for words in counters if words[0] == "event"})
    add_readings(families, log)
    add_schedules(families, log)
