"""Which ids that were revoked a worker takes for sagas to cancel."""

from types import SimpleNamespace

import pytest
from celery import Celery
from celery.worker import state

from amends.errors import UnknownSaga
from amends.worker import revocation
from amends.worker.revocation import Revocations


@pytest.fixture
def cancelled(monkeypatch):
    """Give the ids that were cancelled: none is a saga's."""
    ids = []

    def cancel_saga(saga_id, **_):
        ids.append(saga_id)
        raise UnknownSaga(saga_id)

    log = SimpleNamespace(control=SimpleNamespace(cancel_saga=cancel_saga))
    monkeypatch.setattr(revocation, "log_of", lambda _: log)
    return ids


@pytest.fixture
def revoke():
    """Revoke an id as a worker is told, for this test."""
    ids = []

    def revoke(id_):
        ids.append(id_)
        state.revoked.add(id_)

    yield revoke
    for id_ in ids:
        state.revoked.discard(id_)


def test_what_was_revoked_before_the_worker_started_is_not_asked_for(cancelled, revoke):
    revoke("of-the-state-database")  # Celery keeps 50,000 of them
    app, revocations = Celery(set_as_current=False), Revocations()
    revoke("of-now")
    revocations.cancel_sagas(app)
    assert cancelled == ["of-now"]


def test_what_was_revoked_is_cancelled_once(cancelled, revoke):
    app, revocations = Celery(set_as_current=False), Revocations()
    revoke("of-now")
    revocations.cancel_sagas(app)
    revocations.cancel_sagas(app)
    assert cancelled == ["of-now"]
