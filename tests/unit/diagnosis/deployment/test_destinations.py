"""Where the doctor takes the messages of live sagas to go."""

import pytest

from amends.diagnosis.deployment.destinations import destinations_in_use
from tests.support.app import in_process_app
from tests.support.sagas.fulfilment import fulfilment_saga


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
