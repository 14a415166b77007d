"""What the release before left in the log, finished by this one as that one would have.

The log, the messages in its broker, and what the release before made of a copy are a file that it wrote:
``python -m tests.compatibility.write``.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery

from tests.compatibility import fixture
from tests.compatibility.finish import app_on, finish, load, seen

pytestmark = pytest.mark.xdist_group("older_release")  # one log for all tests


@pytest.fixture(scope="module")
def left_behind() -> Any:
    return fixture.read_file()


@pytest.fixture(scope="module")
def app(redis_url: str, left_behind: dict[str, Any]) -> Iterator[Celery]:
    with app_on(redis_url) as app:
        load(redis_url, left_behind)
        yield app
    for database in (fixture.LOG, fixture.BROKER, fixture.RECEIVER):
        with fixture.client_of(redis_url, database) as client:
            client.flushdb()


def differing(sagas: dict[str, Any], which: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return, of each saga that is not as the release before has it, its moves and what differs."""
    differs = {}
    for saga_id, told in sagas.items():
        own = {
            name: (expected, found[saga_id].get(name))
            for name, expected in told[which].items()
            if found[saga_id].get(name) != expected
        }
        if own:
            differs[f"{saga_id}: {told['moves']}"] = own
    return differs


def test_each_saga_is_read_as_the_release_before_reads_it(
    app: Celery, left_behind: dict[str, Any]
) -> None:
    sagas = left_behind["sagas"]
    found = {saga_id: seen(saga_id, told["saga"]) for saga_id, told in sagas.items()}
    assert differing(sagas, "seen", found) == {}


def test_each_saga_comes_to_what_the_release_before_brings_it_to(
    app: Celery, left_behind: dict[str, Any]
) -> None:
    sagas = left_behind["sagas"]
    assert differing(sagas, "comes_to", finish(app, sagas)) == {}
