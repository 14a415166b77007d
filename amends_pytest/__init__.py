"""The pytest plugin: the fixture `rehearsal`.

pytest imports every installed plugin at its start, also in projects that only happen to have amends installed.
So the plugin stands beside the package, whose import is the whole engine's, and loads it in the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amends.testing import Rehearsal


@pytest.fixture
def rehearsal() -> Iterator[Rehearsal]:
    """Give an `amends.testing.Rehearsal` that is open during the test."""
    from amends.testing import Rehearsal  # noqa: PLC0415 - the engine, for a test that rehearses

    with Rehearsal() as opened:
        yield opened
