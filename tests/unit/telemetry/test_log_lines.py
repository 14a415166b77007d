"""Lines of a worker's log for the events of sagas, as Celery formats them."""

import io
import logging

import pytest
from celery import Celery
from celery.app.log import TaskFormatter

from amends.log.observers import Transition
from amends.telemetry.observers import logger, write_lines

FORMAT = "%(task_name)s[%(task_id)s]: %(message)s"
TRANSITION = Transition(
    "order-1047",
    ["order", "running", "running", 0, "step.retrying"],
    ['{"at":0,"name":"step.retrying","record":"ship","wait":10}'],
)


@pytest.fixture
def app():
    return Celery("shop", broker="memory://", set_as_current=False)


@pytest.fixture
def written():
    """Give what the handler of a worker writes."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TaskFormatter(FORMAT, use_color=False))
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(
        logging.INFO
    )  # a worker of another test in this process may have silenced them all
    yield stream.getvalue
    logger.setLevel(level)
    logger.removeHandler(handler)


def test_a_line_that_no_task_writes_begins_with_the_saga(app, written):
    write_lines(app, TRANSITION)
    assert written() == "saga.order[order-1047]: saga order-1047: step.retrying step=ship wait=10\n"


def test_a_line_that_a_task_writes_begins_with_the_task(app, written):
    @app.task(name="ship")
    def ship():
        write_lines(app, TRANSITION)

    ship.apply(task_id="order-1047.3.ship")
    assert written().startswith("ship[order-1047.3.ship]: saga order-1047: ")
