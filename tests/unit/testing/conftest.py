"""An open rehearsal, made by hand: the fixture of the plugin has its own tests."""

import pytest

from amends.testing import Rehearsal
from tests.unit.testing import excursion


@pytest.fixture
def rehearsal():
    excursion.effects.clear()
    excursion.time_left.clear()
    with Rehearsal() as opened:
        yield opened
