"""Workers that are not as sagas need them, and what nobody does for them; all are real."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery import Celery
from redis import Redis

from amends.backend.client import client_of
from amends.definition.itinerary import Itinerary
from amends.diagnosis.deployment.worker_inspection import Patience, ask_workers
from amends.log.profiles import Profile
from amends.log.saga_log import SagaLog
from tests.integration.diagnosis.deployment.doctor_process import ROOM, Doctor, Worker
from tests.support.eventually import eventually

# A part of what is said of each.
FAULTY = {
    "workers.silent": "ghost@nowhere lives, by the saga log, and does not answer",
    "log.shared": "workers of 2 apps use this saga log, by name, broker and default queue: billing (bills), ",
    "workers.version": "ghost@nowhere runs amends 0.0.1, and this process ",
    "workers.other_log": "astray@",
    "workers.pool": "astray@",
    "tasks.late_acks": "acks_late is False on amends.advance, examined.undo_work, examined.work",
    "workers.without_amends": "plain@",
    "queues.unconsumed": "no worker consumes ",
    "tasks.unregistered": "unregistered.admit goes to examined, and no worker that consumes it knows the task",
    "tasks.partly_registered": "newer_examined.operate goes to examined",
    "sagas.unknown_task": "no worker knows examined.taken_away, which live sagas may need: order-1",
}


@pytest.fixture(scope="module")
def faulty_settings(settings, redis_url):
    """Give the settings of an app that is apart from the sound one: its broker is another."""
    with Redis.from_url(broker := f"{redis_url}/14") as client:
        client.flushdb()
    return {**settings, "broker_url": broker, "amends_backend": f"{redis_url}/15"}


@pytest.fixture(scope="module")
def faulty_workers(directory, faulty_settings, settings, faulty_log):
    """Run workers that consume one queue of the app alone, each with something else that is wrong."""
    elsewhere = {
        **faulty_settings,
        "amends_backend": settings["amends_backend"].removesuffix("/0") + "/1",
        "task_annotations": {"*": {"acks_late": False}},
    }
    workers = [
        Worker("astray", directory=directory, settings=elsewhere, queues="examined", pool="solo"),
        Worker(
            "learned",
            directory=directory,
            application="newer_examined_app",
            settings=faulty_settings,
            queues="examined",
        ),
        Worker(
            "plain",
            directory=directory,
            application="app_without_amends",
            environment={"BROKER": faulty_settings["broker_url"]},
        ),
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.await_ready()
    yield workers
    for worker in workers:
        worker.kill()


@pytest.fixture(scope="module")
def faulty_log(faulty_settings):
    client = client_of(faulty_settings["amends_backend"])
    client.flushdb()
    return SagaLog(client)


@contextmanager
def ghost_in(log: SagaLog) -> Iterator[None]:
    """Let a worker beat that does not answer, however long the doctor takes."""
    ends = threading.Event()

    def beat() -> None:
        log.workers.note_heartbeat("b00b00", [1], node="ghost@nowhere", version="0.0.1")

    def go_on() -> None:
        while not ends.wait(1.0):
            beat()

    beat()
    beats = threading.Thread(target=go_on)
    beats.start()
    try:
        yield
    finally:
        ends.set()
        beats.join()


@pytest.fixture(scope="module")
def findings(faulty_workers, faulty_log, faulty_settings):
    """Give what is found: also a worker that beats and does not answer, and a saga whose task was taken away."""
    eventually(faulty_log.profiles.read_live)  # the worker's, which it tells once it consumes
    billing = {"tasks": frozenset({"billing.known"}), "queues": frozenset({"bills"})}
    faulty_log.profiles.keep(Profile(app="another", name="billing", **billing))
    faulty_log.starts.start_saga("order-2", itinerary_of("billing.known"), "{}")
    faulty_log.starts.start_saga("order-1", itinerary_of("examined.taken_away"), "{}")
    doctor = Doctor(
        {
            **faulty_settings,
            "imports": [f"{ROOM}.newer_examined_app", f"{ROOM}.unregistered_tasks"],
        },
        first_call=3.0,
        next_call=4.0,
    )
    with ghost_in(faulty_log):
        found = doctor.examine()
    yield found
    doctor.leave()


def itinerary_of(task):
    call = {
        "task": task,
        "queue": "examined",
        "priority": None,
        "start_to_close_timeout": 10.0,
        "max_attempts": 3,
        "initial_interval": 1.0,
        "max_interval": 1.0,
        "backoff_coefficient": 1.0,
        "jitter": 0.0,
        "inputs": {},
    }
    step = {
        "name": "only",
        "activity": call,
        "fallback": None,
        "compensation": None,
        "on_failure": "compensate",
        "outcome": {},
    }
    return Itinerary.from_json(
        json.dumps({"saga": "old", "timeout": None, "stages": [[step]], "output": {}})
    )


def wrong_in(findings):
    return [finding for finding in findings if finding["severity"] != "ok"]


def test_nothing_else_is_found(findings):
    assert {finding["code"] for finding in wrong_in(findings)} == FAULTY.keys()


@pytest.mark.parametrize("code", FAULTY)
def test_what_is_wrong_with_a_crew_is_found_and_said(findings, code):
    said = [finding["what"] for finding in wrong_in(findings) if finding["code"] == code]
    assert said
    assert all(FAULTY[code] in each for each in said)


def test_each_queue_that_nobody_consumes_is_named_with_its_tasks(findings):
    said = {each["where"]: each["what"] for each in findings if each["code"] == "queues.unconsumed"}
    assert said.keys() == {"undo", "nobody"}
    assert said["undo"].endswith("undo, which amends.advance, examined.undo_work goes to")


def test_a_system_without_workers_is_found(doctor, redis_url, log_url):
    empty = f"{redis_url}/12"
    assert doctor.finds(broker_url=empty, amends_backend=empty).keys() == {"workers.none"}


def test_workers_that_beat_where_nobody_answers_are_not_called_missing(
    impatient_doctor, redis_url, sound_worker
):
    assert impatient_doctor.finds(broker_url=f"{redis_url}/12").keys() == {"workers.silent"}


def test_a_late_answer_to_an_earlier_question_is_not_taken_for_that_to_this_one(
    settings, sound_worker
):
    hasty_at_first = Patience(first_call=0.0001, next_call=30.0)
    app = Celery("examined", broker=settings["broker_url"], set_as_current=False)
    with app.connection_for_write() as connection:
        (node,) = app.control.inspect(timeout=30.0, limit=1, connection=connection).ping()
    for _ in range(12):  # about each second answer is late enough, and not too late
        with app.connection_for_write() as connection:
            (found,) = ask_workers(app, connection, [node], patience=hasty_at_first)
        assert found.queues == {"examined", "undo"}
        assert "examined.work" in found.tasks
