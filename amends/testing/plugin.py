"""The pytest plugin: a fixture for a saga's tests. pytest loads it by itself where amends is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amends.testing import Rehearsal


@pytest.fixture
def rehearsal() -> Iterator[Rehearsal]:
    """Give an `amends.testing.Rehearsal` that is open during the test."""
    from amends.testing import Rehearsal  # noqa: PLC0415 - for the tests that use it

    with Rehearsal() as opened:
        yield opened
