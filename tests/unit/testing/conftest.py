"""An open rehearsal, made by hand: the fixture of the plugin has its own tests."""

import excursion
import pytest

from amends.testing import Rehearsal


@pytest.fixture
def rehearsal():
    excursion.effects.clear()
    excursion.time_left.clear()
    with Rehearsal() as opened:
        yield opened
