"""Log records as JSON, and Celery's lines that are kept back."""

import io
import json
import logging
import logging.config
import socket

import pytest
from celery import Celery
from pydantic import BaseModel

from amends import activity
from amends.activities.context import CURRENT, Context
from amends.log.observers import Transition
from amends.telemetry.log_format import JsonFormatter, WithoutSagaTasks
from amends.telemetry.observers import logger as sagas
from amends.telemetry.observers import write_lines
from demo.ports import free_port

OWN = logging.getLogger("tests.shop")
CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "amends.telemetry.log_format.JsonFormatter"}},
    "filters": {"sagas": {"()": "amends.telemetry.log_format.WithoutSagaTasks"}},
}


class Parcel(BaseModel):
    weight: int


@activity
def ship_parcel(parcel: Parcel) -> Parcel:
    return parcel


@pytest.fixture
def app():
    return Celery("shop", broker="memory://", set_as_current=False)


@pytest.fixture
def written():
    """Give what a handler with this formatter writes, line by line."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    before = [(each, each.level) for each in (sagas, OWN)]
    for each, _ in before:
        each.addHandler(handler)
        each.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    for each, level in before:
        each.removeHandler(handler)
        each.setLevel(level)


def test_the_line_of_an_event_has_its_fields(app, written):
    event = '{"at":0,"name":"step.started","record":"ship","attempt":2}'
    head = ["order", "running", "running", 0, "step.started"]
    write_lines(app, Transition("order-1047", head, [event]))
    (line,) = written()
    assert {name: line[name] for name in ("level", "logger", "saga", "saga_id", "step")} == {
        "level": "INFO",
        "logger": "amends.sagas",
        "saga": "order",
        "saga_id": "order-1047",
        "step": "ship",
    }
    assert (line["event"], line["attempt"]) == ("step.started", 2)
    assert line["message"] == "saga order-1047: step.started step=ship attempt=2"
    assert line["time"][-1] == "Z"
    assert "worker" not in line  # it is none


def test_a_line_that_an_activity_writes_says_of_which_call_it_is(written):
    token = CURRENT.set(
        Context(
            saga_id="o-1", step="ship", attempt=3, deadline=0.0, idempotency_key="o-1:ship:undo"
        )
    )
    OWN.info("weighed", extra={"grams": 12})
    CURRENT.reset(token)
    OWN.info("and out of it")
    inside, outside = written()
    assert (inside["saga_id"], inside["step"], inside["attempt"]) == ("o-1", "ship:undo", 3)
    assert inside["grams"] == 12
    assert "saga_id" not in outside


def test_a_line_that_a_task_writes_names_the_task(app, written):
    @app.task(name="weigh")
    def weigh():
        OWN.info("weighed")

    weigh.apply(task_id="t-1")
    (line,) = written()
    assert (line["task_name"], line["task_id"]) == ("weigh", "t-1")


def test_what_is_no_json_is_written_as_its_text(written):
    class Unprintable:
        def __str__(self):
            raise RuntimeError

    loop = []
    loop.append(loop)
    given = {"a": {1, 2}, "b": Unprintable(), "c": float("nan"), "d": loop, "e": "\x1b\n\ud800"}
    OWN.info("it", extra=given)
    (line,) = written()
    assert (line["a"], line["c"], line["d"]) == ("{1, 2}", "nan", "[[...]]")
    assert "Unprintable" in line["b"]
    assert line["e"] == given["e"]


def test_an_exception_is_told_on_the_same_line(written):
    try:
        socket.create_connection(("127.0.0.1", free_port()))
    except OSError:
        OWN.exception("it failed")
    (line,) = written()
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["level"] == "ERROR"


def test_the_arguments_of_tasks_are_in_no_line(written):
    OWN.info("received", extra={"data": {"kwargs": "{'card': '4111'}"}})
    assert "4111" not in json.dumps(written())


def test_both_are_named_in_a_configuration():
    logging.config.dictConfig(CONFIG)


def record(name, task_id, level=logging.INFO, **data):
    made = logging.LogRecord("celery.app.trace", level, "", 0, "Task", (), None)
    made.data = {"id": task_id, "name": name, **data}
    return made


@pytest.mark.parametrize(
    ("name", "task_id", "is_written"),
    [
        (ship_parcel.name, "order-1047.3.ship", False),
        (ship_parcel.name, "order-1047.7.ship.undo", False),
        (ship_parcel.name, "order-1047.7.ship[3]", False),
        ("amends.advance", "order-1047.4.advance", False),
        (ship_parcel.name, "0b5b6f5e-3f2b-4f0a-8f60-4b1c2f0f9a11", True),  # a call without a saga
        ("reports.make", "report.3.daily", True),  # another task
    ],
)
def test_celerys_lines_of_the_tasks_of_sagas_are_kept_back(app, name, task_id, is_written):
    app.set_current()
    assert WithoutSagaTasks().filter(record(name, task_id)) is is_written


def test_errors_and_other_lines_are_written():
    assert WithoutSagaTasks().filter(record(ship_parcel.name, "o.3.ship", logging.ERROR))
    assert WithoutSagaTasks().filter(
        logging.makeLogRecord({"msg": "ready", "levelno": logging.INFO})
    )
