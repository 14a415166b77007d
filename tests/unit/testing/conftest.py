"""An open rehearsal, made by hand: the fixture of the plugin has its own tests."""

import pytest

from amends import Schedule
from amends.scheduling import definition
from amends.testing import Rehearsal
from tests.unit.testing import rehearsed_sagas
from tests.unit.testing.rehearsed_schedules import HOUR, tour_saga, trip_of


@pytest.fixture
def rehearsal():
    rehearsed_sagas.effects.clear()
    rehearsed_sagas.time_left.clear()
    with Rehearsal() as opened:
        yield opened


@pytest.fixture(autouse=True)
def _own_schedules(monkeypatch):
    monkeypatch.setattr(definition, "KNOWN", {})


@pytest.fixture
def use(rehearsal):
    """Make a schedule that the rehearsal fires, an hourly one unless told."""

    def use(saga=tour_saga, *, name="tours", every=HOUR, **how):
        schedule = Schedule(name, saga, **{"every": every, "input": trip_of, **how})
        rehearsal.use(schedule)
        return schedule

    return use
