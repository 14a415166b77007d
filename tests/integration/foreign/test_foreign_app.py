"""Sagas in an app that exists: its own settings stay as they are, and definitions live in another package."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

FILES = {
    # The app of a Django project: its settings have a prefix, and it knows amends by one import.
    "shopfront/__init__.py": "",
    "shopfront/settings.py": """
        import os

        CELERY_BROKER_URL = os.environ["BROKER"]
        CELERY_AMENDS_BACKEND = os.environ["LOG"]
        CELERY_AMENDS_SWEEP_INTERVAL = 0.5
        CELERY_TASK_ACKS_LATE = False
        CELERY_TASK_SERIALIZER = "json"
        CELERY_TASK_IGNORE_RESULT = False
    """,
    "shopfront/celery.py": """
        from celery import Celery

        app = Celery("shopfront")
        app.config_from_object("shopfront.settings", namespace="CELERY")
        app.conf.imports = ("shopfront.own", "bookings.activities")
    """,
    "shopfront/own.py": """
        from celery import shared_task

        @shared_task
        def own_task(text):
            print(f"OWN {text}", flush=True)
    """,
    # A package of its own, which knows no app.
    "bookings/__init__.py": "",
    "bookings/activities.py": """
        from pydantic import BaseModel

        from amends import Refused, activity


        class Booking(BaseModel):
            seat: str


        class Ticket(BaseModel):
            ticket: str


        @activity
        def book_seat(booking: Booking) -> Ticket:
            return Ticket(ticket="T-" + booking.seat)


        @activity
        def free_seat(booking: Booking, ticket: Ticket | None) -> None:
            print(f"FREED {booking.seat} {ticket.ticket}", flush=True)


        @activity
        def seat_guest(booking: Booking) -> None:
            if booking.seat == "13":
                raise Refused("nobody sits there")
    """,
    "bookings/sagas.py": """
        from pydantic import BaseModel

        from amends import Saga, Step
        from bookings.activities import Booking, book_seat, free_seat, seat_guest


        class Result(BaseModel):
            outcome: str
            ticket: str | None


        booking_saga = Saga("booking", input=Booking, output=Result, steps=[
            Step(book_seat, compensation=free_seat),
            Step(seat_guest, compensation=None, outcome="unseated"),
        ])
    """,
    "client.py": """
        import json
        import sys

        from shopfront.celery import app
        from shopfront.own import own_task
        from bookings.activities import Booking
        from bookings.sagas import booking_saga

        own_task.delay("stays as it is")
        good = booking_saga.start(Booking(seat=sys.argv[1]), saga_id="good-" + sys.argv[1]).wait(timeout=60)
        bad = booking_saga.start(Booking(seat="13"), saga_id="bad-" + sys.argv[1]).wait(timeout=60)
        tasks = {name: app.tasks[name].acks_late for name in ("shopfront.own.own_task", "bookings.activities.book_seat")}
        print(json.dumps({"good": good.model_dump(), "bad": bad.model_dump(), "acks_late": tasks}))
    """,
}


@pytest.fixture
def project(tmp_path, redis_url):
    """Lay the project out, and give the way to run a command in it."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text), "utf-8")
    environment = {**os.environ, "BROKER": f"{redis_url}/11", "LOG": f"{redis_url}/12"}
    environment["PYTHONPATH"] = str(tmp_path)

    def command(*arguments):
        return {"args": [sys.executable, *arguments], "cwd": tmp_path, "env": environment}

    return command


def test_a_project_keeps_its_settings_and_runs_sagas_of_another_package(project, tmp_path):
    log = tmp_path / "worker.log"
    worker_command = project("-m", "celery", "-A", "shopfront", "worker", "--concurrency", "2")
    with (
        log.open("w") as output,
        subprocess.Popen(**worker_command, stdout=output, stderr=output) as worker,
    ):
        try:
            client = subprocess.run(
                **project("client.py", tmp_path.name), capture_output=True, text=True, check=False
            )
        finally:
            worker.terminate()
    assert client.returncode == 0, client.stderr + log.read_text()
    answer = json.loads(client.stdout)
    assert answer["good"] == {"outcome": "completed", "ticket": f"T-{tmp_path.name}"}
    assert answer["bad"] == {"outcome": "unseated", "ticket": "T-13"}
    assert answer["acks_late"] == {
        "shopfront.own.own_task": False,
        "bookings.activities.book_seat": True,
    }
    said = log.read_text()
    assert "OWN stays as it is" in said
    assert "FREED 13 T-13" in said


def test_an_app_that_had_looked_up_its_tasks_before_is_swept_too(tmp_path):
    script = (
        "from celery import Celery\n"
        "app = Celery('early', broker='memory://')\n"
        "app.tasks\n"
        "import amends.worker.bootstep\n"
        "print(amends.worker.bootstep.Recovery in app.steps['worker'])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "True\n"
