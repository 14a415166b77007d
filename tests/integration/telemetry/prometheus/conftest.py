"""A log in a real Redis in which a saga of every kind ran, and what a scrape of it shows."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from sqlalchemy import MetaData, create_engine

from amends.log.saga_log import SagaLog, log_of
from amends.outbox.sqlalchemy_table import outbox_table
from amends.telemetry.prometheus import exposition
from tests.integration.telemetry.prometheus.errand_saga import run_every_kind
from tests.integration.telemetry.prometheus.rules import Promtool
from tests.support.log_view import view_of


@pytest.fixture(scope="module")
def app(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Celery]:
    """Give an app whose sagas run in the process that starts them, with an empty outbox."""
    outbox = f"sqlite:///{tmp_path_factory.mktemp('outbox') / 'outbox.sqlite3'}"
    metadata = MetaData()
    outbox_table(metadata)
    metadata.create_all(create_engine(outbox))
    app = Celery("errands", broker=f"{redis_url}/5")
    app.conf.update(
        amends_backend=f"{redis_url}/6",
        amends_compensation_queue="undo",
        amends_outbox_url=outbox,
        amends_shards=4,  # soon each has something in it
        task_always_eager=True,
        task_default_queue="errands",
    )
    app.set_current()
    app.set_default()
    app.finalize()
    with Redis.from_url(
        app.conf.amends_backend
    ) as log:  # which others use too, in another number of shards
        log.flushdb()
        yield app
        log.flushdb()
    app.close()


@pytest.fixture(scope="module")
def log(app: Celery) -> SagaLog:
    return log_of(app)


@pytest.fixture(scope="module")
def client(log: SagaLog) -> Redis:
    return view_of(log).client


class Scrape:
    """What one scrape showed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: list[Metric] = list(text_string_to_metric_families(text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """Add up what is shown under this name and these labels."""
        found = [
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        assert found, (name, labels)
        return sum(found)

    def has(self, name: str) -> bool:
        return any(sample.name == name for sample in self.samples)


@pytest.fixture(scope="module")
def scraped(app: Celery) -> Callable[[], Scrape]:
    return lambda: Scrape(exposition(app))


@pytest.fixture(scope="module")
def every_kind(log: SagaLog, scraped: Callable[[], Scrape]) -> tuple[list[str], Scrape]:
    """Run a saga of every kind in an empty log, and scrape at once: other tests add to it."""
    view_of(log).client.flushdb()
    log.workers.note_heartbeat("worker-1", [1])
    log.schedules.define_schedule(
        "hourly", app="a", app_name="errands", definition="{}", digest="d", is_begin=True
    )
    return run_every_kind(log), scraped()


@pytest.fixture
def promtool(tmp_path: Path) -> Promtool:
    """Give promtool, or skip the test."""
    return Promtool(tmp_path)


@pytest.fixture(scope="module")
def ids(every_kind: tuple[list[str], Scrape]) -> list[str]:
    return every_kind[0]


@pytest.fixture(scope="module")
def scrape(every_kind: tuple[list[str], Scrape]) -> Scrape:
    return every_kind[1]
