"""Some of the ways in which a call ends, in a worker of each kind of pool; ``make endings`` has all of them."""

import os

import pytest

from demo.log_user import as_log_user
from demo.servers import own_redis
from tests.endings.matrix import run, worker
from tests.endings.ways import WAYS
from tests.support.eventually import eventually

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
        patch.setenv("AMENDS_BACKEND", as_log_user(f"{url}/1"))
        yield


@pytest.mark.usefixtures("_endings")
@pytest.mark.parametrize(("pool", "ways"), [("prefork", SAMPLE), ("threads", SAMPLE[:10])])
def test_s18_whatever_leaves_an_activity_ends_its_attempt_and_nothing_else(pool, ways, tmp_path):
    assert set(SAMPLE) <= WAYS.keys()
    told = run(pool, tmp_path, ways=ways)
    assert len(told) == 7 * len(ways), os.environ["AMENDS_BACKEND"]
    assert [each for each in told if each.wrong] == []


@pytest.mark.usefixtures("_endings")
def test_a_greenlet_that_celery_kills_is_a_death_and_spends_no_attempt(tmp_path):
    pytest.importorskip("gevent")
    from tests.endings import app  # noqa: PLC0415 - it reads the environment as it is imported

    app.app.set_current()
    app.app.set_default()
    app.notes.delete(app.MET)
    with worker("gevent", tmp_path / "gevent.log", slots=4):
        handle = app.meeting.start(app.Ask(way="2", at=""), saga_id="terminated")
        eventually(lambda: app.notes.get(app.MET) == "1")  # it waits for another one

        def is_broken_off():
            # Again: a worker that has just begun may not hear what is broadcast yet.
            app.app.control.revoke("terminated.1.meet", terminate=True)
            return "step.retrying" in [event.name for event in handle.history()]

        eventually(is_broken_off, every=1.0)
        assert handle.wait(timeout=60).outcome == "completed"  # its second call is the other one
    (error,) = [e.details["error"] for e in handle.history() if "error" in e.details]
    assert error == {"type": "WorkerLostError", "message": "it was broken off: GreenletExit: "}
    assert handle.snapshot().steps["meet"].attempts == 2
