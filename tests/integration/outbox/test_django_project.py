"""A project of Django's with ``amends.django`` in INSTALLED_APPS: its migration, its tests, its worker's relay."""

import re
import subprocess
import sys

import pytest

from demo.programs import ROOT

MANAGE = """
import sys
from django.core.management import execute_from_command_line
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "project"
execute_from_command_line(sys.argv)
"""
PROJECT = """
import os
from celery import Celery

SECRET_KEY = "of a test"
INSTALLED_APPS = ["amends.django", "shop"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "first.sqlite3"},
    "other": {"ENGINE": "django.db.backends.sqlite3", "NAME": "second.sqlite3"},
}
CELERY_BROKER_URL = "memory://"
CELERY_AMENDS_BACKEND = os.environ.get("LOG", "redis://localhost:1")
CELERY_AMENDS_OUTBOX_URL = "django://other"

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project")
app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
"""
SAGAS = """
from amends import Saga, Step, activity
from pydantic import BaseModel


class Order(BaseModel):
    number: int


class Result(BaseModel):
    outcome: str


@activity
def ship(order: Order) -> None: ...


order_saga = Saga(
    "order", input=Order, output=Result, steps=[Step(ship, compensation=None)]
)
"""
MODELS = """
from django.db import models


class Order(models.Model):
    number = models.IntegerField()

    class Meta:
        app_label = "shop"
"""
TESTS = """
from django.db import transaction
from django.test import TestCase, TransactionTestCase
from amends import UnknownSaga
from amends.testing import Rehearsal
from shop.sagas import Order, order_saga


class CapturedTest(TestCase):
    databases = {"default", "other"}

    def test_it_delivers_what_it_captures(self):
        for alias in ("default", "other"):
            with Rehearsal() as rehearsal:
                with self.captureOnCommitCallbacks(using=alias, execute=True) as callbacks:
                    handle = order_saga.start_on_commit(Order(number=1), using=alias)
                    with self.assertRaises(UnknownSaga):
                        handle.status
                self.assertEqual(len(callbacks), 1)
                self.assertEqual(handle.status, "completed")

    def test_it_delivers_nothing_that_it_does_not_capture(self):
        with Rehearsal() as rehearsal:
            with transaction.atomic():
                order_saga.start_on_commit(Order(number=1))
            self.assertEqual(rehearsal.calls, [])


class CommittedTest(TransactionTestCase):
    def test_a_commit_delivers(self):
        with Rehearsal() as rehearsal:
            with transaction.atomic():
                order_saga.start_on_commit(Order(number=1))
            self.assertEqual(rehearsal.done, ["ship"])
            try:
                with transaction.atomic():
                    order_saga.start_on_commit(Order(number=2))
                    raise ZeroDivisionError
            except ZeroDivisionError:
                pass
            self.assertEqual(rehearsal.done, ["ship"])
"""
RELAY = """
import django, time
django.setup()
from django.db import connections, transaction
from project import app
from shop.sagas import Order, order_saga
from amends.outbox import delivery
from amends.outbox.adapters import database_of
from amends.outbox.relay import Relay

app.set_default()
delivery.threads._rests_until = float("inf")  # as if this process was killed after its commit
with transaction.atomic(using="other"):
    handle = order_saga.start_on_commit(Order(number=1), saga_id="{saga_id}", using="other")
Relay(app, database_of(app), now=lambda: time.time() + 30).run_once()
print(handle.status, connections["other"].connection)
"""


@pytest.fixture
def run(tmp_path, redis_url):
    """Give a function that runs a program in the project."""
    for name, text in {
        "manage.py": MANAGE,
        "project.py": PROJECT,
        "shop/__init__.py": "",
        "shop/sagas.py": SAGAS,
        "shop/models.py": MODELS,
        "shop/tests.py": TESTS,
        "shop/migrations/__init__.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def run(*words):
        ran = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env={
                "PYTHONPATH": f"{ROOT}:{tmp_path}",
                "LOG": f"{redis_url}/3",
                "DJANGO_SETTINGS_MODULE": "project",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    return run


def test_the_migration_makes_and_drops_the_table_of_each_database(run):
    assert "No changes detected" in run("manage.py", "makemigrations", "amends", "--check")
    for alias in ("default", "other"):
        told = run("manage.py", "migrate", "amends", f"--database={alias}")
        assert "Applying amends.0001_outbox... OK" in told
        told = run("manage.py", "migrate", "amends", "zero", f"--database={alias}")
        assert "Unapplying amends.0001_outbox... OK" in told


def test_the_tests_of_the_project_deliver_in_a_rehearsal(run):
    run("manage.py", "makemigrations", "shop")
    assert "Ran 3 tests" in run("manage.py", "test")


def test_the_shop_of_the_page_passes_its_test(run, tmp_path):
    page = (ROOT / "docs" / "outbox.md").read_text(encoding="utf-8")
    of_django = page[page.index("## Django") : page.index("## When the saga is there")]
    files = re.findall(
        r"`(\w+\.py)`[^`]*?(?:`TestCase`[^`]*)?```python\n(.*?)```", of_django, re.DOTALL
    )
    assert [name for name, _ in files[1:]] == ["models.py", "sagas.py", "views.py", "tests.py"]
    for name, code in files[1:]:  # but for the settings
        (tmp_path / "shop" / name).write_text(code)
    run("manage.py", "makemigrations", "shop")
    assert "Ran 1 test" in run("manage.py", "test")


def test_the_relay_takes_over_by_the_alias_and_leaves_no_connection(run, saga_id):
    run("manage.py", "migrate", "amends", "--database=other")
    assert run("-c", RELAY.format(saga_id=saga_id)).splitlines()[-1] == "pending None"
