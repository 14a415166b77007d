"""A worker with `amends_outbox_url` delivers what other processes left, and says what keeps it from it."""

import contextlib

import pytest
from celery.contrib.testing.worker import start_worker

from amends import SagaStatus, UnknownSaga, get
from amends.outbox import table
from amends.outbox.entry import Entry
from tests.support.engine_saga import Job
from tests.support.eventually import eventually
from tests.support.shops import SQLAlchemyShop


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    file = tmp_path_factory.mktemp("shop") / "shop.sqlite3"
    shop = SQLAlchemyShop(f"sqlite:///{file}", connect_args={"timeout": 60})
    yield shop
    shop.close()


def leave(shop, saga_id):
    entry = Entry.of(saga_id, "job", Job(job_id=saga_id).model_dump_json(), at=None, after=None)
    with shop.database.transaction() as connection:
        table.write(connection, entry, namespace="")
    shop.change(due_at=0)


def is_completed(saga_id):
    with contextlib.suppress(UnknownSaga):
        return get(saga_id).status is SagaStatus.COMPLETED
    return False


@pytest.fixture
def worker(app):
    """Give a function that runs a worker with settings."""

    @contextlib.contextmanager
    def run(**settings):
        app.conf.update(settings)
        try:
            with start_worker(
                app,
                pool="threads",
                concurrency=2,
                loglevel="CRITICAL",
                perform_ping_check=False,
                shutdown_timeout=30,
            ):
                yield
        finally:
            for name in settings:
                app.conf[name] = None

    return run


def test_it_delivers_what_a_crash_left(app, shop, worker, saga_id):
    leave(shop, saga_id)
    with worker(amends_outbox_url=str(shop.engine.url)):
        assert eventually(lambda: is_completed(saga_id))
    assert shop.left() == []


def test_the_url_may_be_in_an_environment_variable(app, shop, worker, saga_id, monkeypatch):
    monkeypatch.setenv("SHOP_DATABASE", str(shop.engine.url))
    leave(shop, saga_id)
    with worker(amends_outbox_url="env://SHOP_DATABASE"):
        assert eventually(lambda: is_completed(saga_id))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("env://NO_SUCH_VARIABLE", "the environment variable NO_SUCH_VARIABLE is not set here"),
        ("postgres://db/shop", "give it SQLAlchemy's URL"),
        ("postgresql+psycopg://nobody@127.0.0.1:1/shop", "did not let the outbox be read"),
        ("django://nowhere", "names 'nowhere', and DATABASES has"),
        ("sqlite://", "no table amends_outbox"),
    ],
)
def test_it_says_what_keeps_it_and_goes_on_with_sagas(app, worker, saga_id, warnings, url, told):
    with worker(amends_outbox_url=url):
        assert eventually(lambda: told in warnings.text)
        assert "the outbox is left to the next look" in warnings.text
