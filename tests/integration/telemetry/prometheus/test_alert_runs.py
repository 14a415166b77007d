"""Each alert fires from what the real exporter shows of the real fault, and is silent beside its like.

Where a fault takes hours the log is set back by so much; `test_alerts.py` has what only time tells.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from celery import Celery, current_app
from pydantic import BaseModel
from redis import Redis

from amends import Child, CircuitBreaker, Delay, NotDone, Saga, Wait
from amends.log.saga_log import SagaLog, log_of
from amends.outbox import table
from amends.outbox.adapters import database_of
from amends.outbox.entry import Entry
from amends.testing import Rehearsal
from demo.ports import free_port
from demo.programs import running
from demo.servers import RedisServer
from tests.integration.telemetry.prometheus.errand_saga import run, start
from tests.integration.telemetry.prometheus.film import Film
from tests.integration.telemetry.prometheus.rules import RULES
from tests.support.log_view import view_of

counter = CircuitBreaker("counter", failure_on=(NotDone,), failure_threshold=1, reset_timeout=600.0)

HOUR = 3600.0


class Person(BaseModel):
    name: str


ADA = Person(name="ada")


class Met(BaseModel):
    outcome: str


class Yes(BaseModel):
    yes: bool


asked_saga = Saga("film_asked", input=Person, output=Met, steps=[Wait("answer", Yes)])
timed_saga = Saga("film_timed", input=Person, output=Met, steps=[Delay(24 * HOUR, name="a_day")])
due_saga = Saga("film_due", input=Person, output=Met, timeout=HOUR / 2, steps=[Wait("answer", Yes)])
parent_saga = Saga(
    "film_parent",
    input=Person,
    output=Met,
    steps=[Child(asked_saga, inputs={"name": "input.name"})],
)


@pytest.fixture(autouse=True)
def _empty(client: Redis, app: Celery) -> None:
    client.flushdb()
    with Redis.from_url(app.conf.broker_url) as broker:
        broker.flushdb()


@pytest.fixture
def film(app: Celery) -> Film:
    """Give a film of a log in which an errand was run before: a counter's first value is no increase."""
    run("first")
    return Film(app)


@pytest.fixture
def older(log: SagaLog, client: Redis) -> Callable[[str, str, float], None]:
    """Give what sets back when a saga came to its status, in seconds."""

    def set_back(saga_id: str, status: str, seconds: float) -> None:
        index = view_of(log).index_key(view_of(log).shard_of(saga_id), status)
        assert client.zscore(index, saga_id) is not None
        client.zincrby(index, -round(seconds * 1000), saga_id)

    return set_back


def test_each_alert_fires_here():
    source = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in RULES if f'"{name}"' not in source] == []


def errands(count: int, *fails: str) -> None:
    for number in range(count):
        run(f"errand-{number}", *fails)


def stick(saga_id: str) -> None:
    assert run(saga_id, "deliver", "give_back")


def test_one_that_is_stuck_is_a_warning(film, promtool):
    film.of(lambda: stick("e")).judge(
        promtool, fires=["SagasStuck"], silent=["ManySagasStuck", "SagaStuckForLong"]
    )


def test_many_that_are_stuck_and_one_for_long_wake_somebody(film, promtool, older):
    def fault():
        for number in range(20):
            stick(f"e-{number}")
        older("e-7", "stuck", 2 * HOUR)

    film.of(fault).judge(promtool, fires=["SagasStuck", "ManySagasStuck", "SagaStuckForLong"])


def test_a_saga_that_nobody_runs_and_one_that_compensates_do_not_end(film, promtool, log, older):
    def fault():
        start(log, "forgotten")
        older("forgotten", "pending", 2 * HOUR)

    film.of(fault).judge(promtool, fires=["SagaDoesNotEnd"], silent=["CompensationDoesNotEnd"])


def test_a_saga_that_compensates_for_hours_wakes_somebody(film, promtool, log, older):
    def fault():
        start(log, "back")
        log.claim_step("back", "fetch", token="t", owner="", retries=0)
        log.control.cancel_saga("back", error="{}", actor={})
        older("back", "compensating", 5 * HOUR)

    film.of(fault).judge(promtool, fires=["SagaDoesNotEnd", "CompensationDoesNotEnd"])


def test_a_saga_that_stays_paused_is_a_warning(film, promtool, log, client):
    def fault():
        start(log, "held")
        log.control.pause_saga("held", actor={})
        client.hincrby(view_of(log).saga_key("held"), "paused", -round(30 * HOUR * 1000))

    film.of(fault).judge(
        promtool, fires=["SagaPausedForLong"], silent=["PausedSagaMeetsItsDeadline"]
    )


def test_a_paused_saga_whose_deadline_comes_is_a_warning(promtool):
    with Rehearsal() as rehearsal:
        film = Film(current_app._get_current_object())
        film.shoot(100)
        rehearsal.run(due_saga, ADA, within=0).pause()
        film.shoot(20)
        film.judge(promtool, fires=["PausedSagaMeetsItsDeadline"], silent=["SagaPausedForLong"])


def test_an_archive_that_takes_nothing_is_a_warning(film, promtool, log):
    def fault():
        log.archiving.note_archived("t", sagas=0, error="OSError: the disk is full")
        client = view_of(log).client
        (key,) = client.scan_iter("*{archive}")
        for name, value in client.hgetall(key).items():
            if value.isdigit() and int(value) > HOUR * 1000:  # a moment
                client.hincrby(key, name, -round(HOUR * 1000))

    film.of(fault).judge(promtool, fires=["ArchiveFails"])


PLANNED: dict[str, Callable[[Rehearsal], object]] = {
    "a signal": lambda rehearsal: rehearsal.run(asked_saga, ADA, within=0),
    "a timer": lambda rehearsal: rehearsal.run(timed_saga, ADA, within=0),
    "a child": lambda rehearsal: rehearsal.run(parent_saga, ADA, within=0),
    "its begin": lambda _: asked_saga.start(ADA, after=24 * HOUR),
}


@pytest.mark.parametrize("wait", PLANNED)
def test_a_wait_that_was_planned_is_not_old(promtool, wait):
    with Rehearsal() as rehearsal:
        film = Film(current_app._get_current_object())
        film.shoot(60)
        handle = PLANNED[wait](rehearsal)
        for _ in range(12):
            rehearsal.advance(HOUR / 2)
            film.shoot(5)
        assert handle.status in ("pending", "running")
        film.judge(promtool, silent=["SagaDoesNotEnd"])


def test_sagas_that_fail_are_told_apart_from_those_that_are_refused(film, promtool):
    film.of(lambda: errands(8, "buy", "borrow"), lasts=10).judge(
        promtool, fires=["SagasFail"], silent=["MostSagasFail", "SagasRefused"]
    )


def test_a_handful_that_fails_is_no_share(film, promtool):
    film.of(lambda: errands(3, "buy", "borrow"), lasts=10).judge(promtool, silent=["SagasFail"])


def test_most_that_fail_wake_somebody(film, promtool):
    film.of(lambda: errands(60, "buy", "borrow"), lasts=10).judge(
        promtool, fires=["SagasFail", "MostSagasFail"]
    )


def test_refusals_are_business(film, promtool):
    film.of(lambda: errands(25, "deliver"), lasts=20).judge(
        promtool, fires=["SagasRefused"], silent=["SagasFail", "MostSagasFail", "SagasStuck"]
    )


def test_steps_that_the_fallback_serves(film, promtool):
    film.of(lambda: errands(6, "buy"), lasts=13).judge(
        promtool, fires=["StepsServedByFallback"], silent=["SagasFail", "SagasRefused"]
    )


def test_a_step_whose_fallback_was_needed_once(film, promtool):
    film.of(lambda: errands(1, "buy"), lasts=13).judge(promtool, silent=["StepsServedByFallback"])


def test_a_task_that_workers_do_not_know_is_a_warning_and_for_long_it_wakes_somebody(
    film, promtool, log
):
    def meet(number: int) -> None:
        start(log, f"lost-{number}")
        log.note_unregistered(f"lost-{number}", "fetch", task="buy", most=5)

    meet(0)
    film.shoot(80)
    for number in range(8):
        meet(1 + number)
        film.shoot(5)
    film.judge(promtool, fires=["TaskUnknownToWorkers", "TaskUnknownForLong"])


def test_a_deploy_that_meets_one_old_worker(film, promtool, log):
    start(log, "lost")
    log.note_unregistered("lost", "fetch", task="buy", most=5)
    film.shoot(100)
    log.note_unregistered("lost", "fetch", task="buy", most=5)
    film.shoot(20)
    film.judge(promtool, silent=["TaskUnknownForLong"])


def test_no_worker(film, promtool, log, client):
    log.workers.note_heartbeat("w", [1])

    def fault():
        [key] = client.keys("*workers*:w")
        client.hincrby(key, "at", -11_000)

    film.of(fault).judge(promtool, fires=["NoWorker"])


def test_nobody_sweeps(film, promtool, log, client):
    def fault():
        start(log, "due")
        due = view_of(log).due_key(view_of(log).shard_of("due"))
        client.zadd(due, {"due": (client.time()[0] - 90) * 1000})

    film.of(fault).judge(promtool, fires=["NobodySweeps"])


def test_a_queue_grows_and_nothing_is_done(film, promtool, app):
    film.shoot(100)
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        channel.queue_declare("errands")
        for _ in range(20):
            for _ in range(2):
                channel.basic_publish(channel.prepare_message(b""), "", "errands")
            film.shoot()
    film.judge(promtool, fires=["QueueGrowsAndNothingIsDone"])


def test_a_circuit_that_stays_open(film, promtool):
    counter.reset(by="ada")

    def fail() -> None:
        raise NotDone("closed")

    def fault():
        with suppress(NotDone):
            counter.call(fail)

    film.of(fault).judge(promtool, fires=["CircuitOpenForLong"], silent=["CircuitOverridden"])
    counter.reset(by="ada")


def test_a_circuit_that_an_operator_left_overridden(film, promtool):
    film.of(lambda: counter.force_open(by="ada"), lasts=70).judge(
        promtool, fires=["CircuitOverridden"], silent=["CircuitOpenForLong"]
    )
    counter.reset(by="ada")


def test_a_schedule_that_misses_a_tick_and_one_that_nobody_defines(film, promtool, log, client):
    log.schedules.define_schedule(
        "nightly", app="a", app_name="errands", definition="{}", digest="d", is_begin=True
    )

    def fault():
        state = log.schedules.read_schedule("nightly")
        assert log.schedules.pass_ticks(state, state.cursor + 1000, "missed", count=1)
        key = view_of(log).schedule_keys("nightly")[0]
        client.hincrby(key, "seen", -301_000)

    film.of(fault).judge(promtool, fires=["ScheduleMissesTicks", "ScheduleStandsStill"])


@pytest.fixture
def outbox(app: Celery) -> Iterator[Callable[..., None]]:
    """Give what leaves a start in the outbox that was written so many seconds ago."""
    entry = Entry.of("order-1", "order", "{}", at=None, after=None)

    def leave(*, ago: float, fails: bool = False) -> None:
        old = Entry(
            **{**vars(entry), "written_at": entry.written_at - ago},
        )
        with database_of(app).transaction() as connection:
            table.write(connection, old, namespace="")
            if fails:
                table.postpone(connection, old, due_at=0.0, error="no worker defines it")

    yield leave
    with database_of(app).transaction() as connection:
        table.remove(connection, [entry.entry_id])


def test_a_start_that_nobody_delivers(film, promtool, outbox):
    film.of(lambda: outbox(ago=300.0)).judge(
        promtool, fires=["OutboxStandsStill"], silent=["OutboxStartsFail", "OutboxAway"]
    )


def test_a_start_that_fails_is_a_warning(film, promtool, outbox):
    film.of(lambda: outbox(ago=300.0, fails=True)).judge(
        promtool,
        fires=["OutboxStartsFail"],
        silent=["OutboxStartsFailForLong", "OutboxStandsStill"],
    )


def test_a_start_that_fails_for_long_wakes_somebody(film, promtool, outbox):
    film.of(lambda: outbox(ago=2 * HOUR, fails=True)).judge(
        promtool, fires=["OutboxStartsFail", "OutboxStartsFailForLong"]
    )


def test_the_database_of_the_outbox_is_away(film, promtool, app, monkeypatch):
    url = "postgresql+psycopg://nobody@127.0.0.1:1/shop"
    film.of(lambda: monkeypatch.setitem(app.conf, "amends_outbox_url", url)).judge(
        promtool, fires=["OutboxAway"], silent=["SagaLogAway", "BrokerAway"]
    )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer("redis", directory=tmp_path)
    with running(server):
        yield server
        server.thaw()


def app_of(server: RedisServer, *, broker: str = "memory://", **settings: object) -> Celery:
    app = Celery("away", broker=broker, set_as_current=False)
    app.conf.update(amends_backend=f"{server.url}/1", **settings)
    return app


def test_the_log_is_frozen(server, promtool):
    film = Film(app_of(server))
    film.of(server.freeze).judge(promtool, fires=["SagaLogAway"], silent=["SagaMetricsAbsent"])


def test_the_log_has_other_shards(server, promtool):
    app = app_of(server)
    stray = app_of(server, amends_shards=16)
    film = Film(app)
    film.shoot(100)
    log_of(stray).workers.note_heartbeat("w", [1])
    film.shoot(20)
    film.judge(promtool, fires=["SagaLogAway"])


def test_the_broker_is_away(server, promtool):
    film = Film(app_of(server))
    film.shoot(100)
    film.shoot(20, app=app_of(server, broker=f"redis://127.0.0.1:{free_port()}/0"))
    film.judge(promtool, fires=["BrokerAway"], silent=["SagaLogAway"])


@pytest.mark.parametrize(
    ("share", "fires", "silent"),
    [
        (0.95, ["SagaLogFills", "SagaLogNearlyFull"], []),
        (0.85, ["SagaLogFills"], ["SagaLogNearlyFull"]),
        (0.5, [], ["SagaLogFills", "SagaLogNearlyFull"]),
    ],
)
def test_the_log_is_full_by_its_share(server, promtool, share, fires, silent):
    with Redis.from_url(server.url) as client:

        def fault():
            client.config_set("maxmemory", round(client.info("memory")["used_memory"] / share))

        Film(app_of(server)).of(fault).judge(promtool, fires=fires, silent=silent)


def test_nobody_serves_metrics(film, promtool):
    film.shoot(100)
    film.pause(20)
    film.judge(promtool, fires=["SagaMetricsAbsent"])
