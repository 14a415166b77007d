"""A shop whose sagas run in this process, with an archive."""

from collections.abc import Callable, Iterator

import pytest
from celery import Celery

from amends.saga.handle import Handle
from tests.support.app import in_process_app
from tests.support.archives import PATH, Kept, kept
from tests.unit.archive.sale import Receipt, Sale, charges, sale_saga


@pytest.fixture
def app() -> Iterator[Celery]:
    with in_process_app("shop") as app:
        app.conf.update(amends_retention=0.0001, amends_archive=PATH, task_always_eager=True)
        charges.clear()
        yield app


@pytest.fixture
def archive() -> Iterator[Kept]:
    kept.clear()
    yield kept
    kept.clear()


@pytest.fixture
def sold(app: Celery) -> Callable[..., Handle[Receipt]]:
    """Give `sold("sale-1")`, a sale that has ended."""

    def sell(saga_id: str, **fields: object) -> Handle[Receipt]:
        return sale_saga.start(Sale(sale=saga_id, **fields), saga_id=saga_id)

    return sell
