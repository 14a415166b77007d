"""What tells an app from others that share its saga log."""

import pytest
from celery import Celery

from amends.backend.app_identity import identity_of

BROKER = "redis://:secret@example.org:6379/0"


def app_of(name="orders", **changes):
    app = Celery(name, broker=BROKER, set_as_current=False)
    app.conf.update(amends_backend="memory://", **changes)
    return app


@pytest.mark.parametrize(
    "url", ["redis://:another@example.org:6379/0", "redis://example.org:6379/0"]
)
def test_an_app_is_the_same_with_another_password(url):
    assert identity_of(app_of()) == identity_of(app_of(broker_url=url))


@pytest.mark.parametrize(
    "change",
    [
        {"broker_url": "redis://:secret@example.org:6379/9"},
        {"broker_url": "amqp://example.org"},
        {"broker_url": "sentinel://:secret@one:1;sentinel://:secret@two:1"},
        {"task_default_queue": "another"},
        {"name": "payments"},
    ],
)
def test_an_app_is_another_with_another_broker_queue_or_name(change):
    assert identity_of(app_of()) != identity_of(app_of(**change))


def test_an_app_with_several_hosts_is_the_same_with_another_password():
    first, second = (f"sentinel://:{word}@one:1;sentinel://:{word}@two:1" for word in "ab")
    assert identity_of(app_of(broker_url=first)) == identity_of(app_of(broker_url=second))
