"""Circuit breakers that wait for their Redis: on a busy machine it answers late, and they would go on without it."""

from collections.abc import Iterator
from functools import partial

import pytest

from amends.backend.client import impatient_client_of
from amends.breaker import redis_access


@pytest.fixture(scope="package", autouse=True)
def _patient_breakers() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patient = partial(impatient_client_of, patience=20.0)
        patch.setattr(redis_access, "impatient_client_of", patient)
        redis_access._access.cache_clear()
        yield
    redis_access._access.cache_clear()
