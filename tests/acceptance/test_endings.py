"""Some of the ways in which a call ends, in a worker of each kind of pool; ``make endings`` has all of them."""

import os

import pytest

from demo.servers import own_redis
from tests.endings.matrix import run
from tests.endings.ways import WAYS

SAMPLE = [
    *("refuses by a name", "raises ValueError", "raises SystemExit", "raises KeyboardInterrupt"),
    *("raises GeneratorExit", "raises CancelledError", "raises Farewell", "raises MemoryError"),
    *("rejects and asks for it back", "raises WorkerLostError", "raises ForgetfulError"),
    *("raises UnprintableError", "raises BoobyTrappedError", "raises FrozenError"),
    *("raises LateError", "raises a huge text", "parses arguments", "returns coroutine"),
    *("exits as it validates", "raises Timeout"),
]


@pytest.fixture(scope="module")
def _endings(tmp_path_factory):
    """Lead the app to a Redis of its own."""
    with pytest.MonkeyPatch.context() as patch, own_redis(tmp_path_factory.mktemp("redis")) as url:
        patch.setenv("CELERY_BROKER_URL", f"{url}/0")
        patch.setenv("AMENDS_BACKEND", f"{url}/1")
        yield


@pytest.mark.usefixtures("_endings")
@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_s18_whatever_leaves_an_activity_ends_its_attempt_and_nothing_else(pool, tmp_path):
    assert set(SAMPLE) <= WAYS.keys()
    told = run(pool, tmp_path, ways=SAMPLE)
    assert len(told) == 7 * len(SAMPLE), os.environ["AMENDS_BACKEND"]
    assert [each for each in told if each.wrong] == []
