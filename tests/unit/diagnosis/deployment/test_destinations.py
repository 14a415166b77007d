"""Where the doctor takes the messages of live sagas to go."""

import pytest

from amends.diagnosis.deployment.destinations import destinations_in_use
from tests.support.app import in_process_app
from tests.support.sagas.fulfilment import fulfilment_saga
from tests.support.sagas.shapes import approval, shape_of, step


@pytest.fixture
def app():
    with in_process_app("shop") as app:
        yield app


def test_routes_are_asked_with_the_paths_that_messages_of_items_have(app):
    asked = []

    def route(name, args, kwargs, options, task=None, **_):
        asked.append(kwargs["step"])

    app.conf.task_routes = (route,)
    found = [*destinations_in_use(app, [(fulfilment_saga.itinerary, ["o-1"])])]
    assert len(found) == len(fulfilment_saga.itinerary.records)
    assert {"ship[1]", "ship[1]:undo", "pick", "pick:undo"} < {*asked}
    assert {"ship", "ship:undo"}.isdisjoint(asked)


def test_a_wait_sends_no_message(app):
    saga = shape_of("doctored_wait", step("a", compensation=None), approval())
    found = [*destinations_in_use(app, [(saga.itinerary, ["o-1"])])]
    assert [each.task for each in found] == [saga.itinerary.records["a"].call.task]
