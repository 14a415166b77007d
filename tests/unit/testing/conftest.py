"""An open rehearsal, made by hand: the fixture of the plugin has its own tests."""

import pytest

from amends.testing import Rehearsal
from tests.unit.testing import rehearsed_sagas


@pytest.fixture
def rehearsal():
    rehearsed_sagas.effects.clear()
    rehearsed_sagas.time_left.clear()
    with Rehearsal() as opened:
        yield opened
