"""The barrier alone: in a service without a Celery app, a Redis, or the libraries of other databases."""

import subprocess
import sys

import pytest

from demo.programs import ROOT

REFUSE = """
import sys

def refuse(event, arguments):
    if event == "socket.connect":
        raise SystemExit(f"it connects to {arguments[1]}")

sys.addaudithook(refuse)
for name in MISSING:
    sys.modules[name] = None  # an import of it fails
"""
SQLALCHEMY = """
from sqlalchemy import MetaData, create_engine
from amends.barrier import barrier, forget, undoing
from amends.barrier.sqlalchemy_table import barrier_table

engine = create_engine("sqlite:///alone.sqlite3")
metadata = MetaData()
barrier_table(metadata)
metadata.create_all(engine)

def answer(headers):
    with engine.begin() as connection:
        with barrier(connection, headers["Idempotency-Key"]) as first:
            if first:
                first.keep({"status": 201})
        return bool(first), first.answer

print(answer({"Idempotency-Key": "a"}), answer({"Idempotency-Key": "a"}))
with engine.begin() as connection:
    with undoing(connection, "a") as took_effect:
        print(bool(took_effect), forget(connection))
"""
DJANGO = """
import django
from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.state import ProjectState

database = {"ENGINE": "django.db.backends.sqlite3", "NAME": "alone.sqlite3"}
settings.configure(DATABASES={"default": database})
django.setup()

from amends.barrier import barrier, forget, undoing
from amends.barrier.django_table import barrier_table

with connection.schema_editor() as editor:
    barrier_table().database_forwards("shop", editor, ProjectState(), ProjectState())

@transaction.atomic
def answer(headers):
    with barrier(connection, headers["Idempotency-Key"]) as first:
        if first:
            first.keep({"status": 201})
    return bool(first), first.answer

print(answer({"Idempotency-Key": "a"}), answer({"Idempotency-Key": "a"}))
with transaction.atomic():
    with undoing("default", "a") as took_effect:
        print(bool(took_effect), forget(connection))
"""


@pytest.mark.parametrize(
    ("script", "missing"),
    [(SQLALCHEMY, ["django"]), (DJANGO, ["sqlalchemy"])],
    ids=["sqlalchemy", "django"],
)
def test_a_service_that_is_no_worker_uses_it_with_a_key_of_a_header(tmp_path, script, missing):
    program = f"MISSING = {missing}\n{REFUSE}\n{script}"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    answer = "{'status': 201}"
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert ran.stdout == f"(True, {answer}) (False, {answer})\nTrue 0\n"


def test_the_barrier_is_imported_without_either(tmp_path):
    program = f"MISSING = ['sqlalchemy', 'django']\n{REFUSE}\nimport amends.barrier"
    subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True
    )
