"""The current app of a thread, with Celery's private names for it and without."""

from types import SimpleNamespace

import pytest
from celery import Celery, current_app

from amends.backend import celery_apps
from amends.backend.celery_apps import current, is_current


@pytest.fixture(params=["as it is", "without its names"])
def celery(request, monkeypatch):
    if request.param != "as it is":
        monkeypatch.setattr(celery_apps, "_celery", SimpleNamespace())


@pytest.mark.usefixtures("celery")
def test_an_app_is_current_for_a_while():
    before, other = (Celery(name, set_as_current=False) for name in ("before", "other"))
    with current(before):
        with current(other):
            assert is_current(other)
            assert not is_current(before)
        assert is_current(before)
        assert current_app.main == "before"
