"""Connections of Django's that the server has ended, on PostgreSQL, in each kind of pool."""

import pytest

from tests.integration.django.conftest import Project

POOLS = ["prefork", "threads", "solo", "gevent"]
# Celery's fixup closes all connections around each task, unless this keeps them.
KEEPS = {"CELERY_DB_REUSE_MAX": 1_000_000}
RUN = """
import os
import django; django.setup()
from orders.sagas import OrderInput, looks
for dispatch, saga in looks.items():
    if dispatch.endswith("_async") != bool(os.environ.get("ASYNC")):
        continue
    handle = saga.start(OrderInput(number=1))
    outcome = handle.wait(timeout=60).outcome
    print(dispatch, outcome, *(each.attempts for each in handle.snapshot().steps.values()))
"""
TICKS = """
import django, time; django.setup()
from orders.sagas import end_connection
from django.db import connection
from site_of_tests.celery import app
from amends.log.queries.listing import find_sagas
from amends.log.queries.query import Query
completed = lambda: sum(each.status == "completed" for each in find_sagas(app, Query(saga="counted")).summaries)
def reach(number, until=time.monotonic() + 90):
    while completed() < number:
        assert time.monotonic() < until
        time.sleep(0.05)
reach(1)
with connection.cursor() as cursor:
    cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'site' AND pid <> pg_backend_pid()")
    pids = [pid for pid, in cursor.fetchall()]
for pid in pids:
    end_connection(pid)
reach(completed() + 2)
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'site' AND pid <> pg_backend_pid() AND state = 'idle'")
    print("left", cursor.fetchone()[0])
"""
DELIVERIES = """
import time
import django; django.setup()
from django.db import connection, transaction
import amends
from orders.models import Order
from orders.sagas import OrderInput, counted_saga
asked = []
def ask(**_):
    asked.append(Order.objects.count())
amends.saga_started.connect(ask)
for number in range(8):
    with transaction.atomic():
        counted_saga.start_on_commit(OrderInput(number=number))
until = time.monotonic() + 60
with connection.cursor() as cursor:  # the server takes a moment to notice that one is closed
    while True:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'site'")
        count = cursor.fetchone()[0]
        if count == 1 or time.monotonic() > until:
            break
        time.sleep(0.05)
print(len(asked), "asked,", count, "open")
"""


@pytest.fixture
def project(tmp_path, urls, postgres):
    project = Project(tmp_path, {**urls, "POSTGRES_PORT": str(postgres.port)})
    project.run("manage.py", "migrate", "-v0")
    yield project
    project.run("manage.py", "migrate", "-v0", "orders", "zero")


@pytest.mark.servers
@pytest.mark.parametrize("keeps", [{}, KEEPS], ids=["closed by Celery", "kept by Celery"])
@pytest.mark.parametrize("pool", POOLS)
def test_a_step_has_a_connection_that_works_after_the_one_before_lost_its_own(project, pool, keeps):
    with project.worker(pool, **keeps):
        told = project.run("-c", RUN).splitlines()
    assert told == ["chain completed 1 1 1 1", "inline completed 1 1 1 1"]


@pytest.mark.servers
@pytest.mark.parametrize("keeps", [{}, KEEPS], ids=["closed by Celery", "kept by Celery"])
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_a_coroutine_has_one_too(tmp_path, project, urls, postgres, pool, keeps):
    later = Project(tmp_path, {**urls, "POSTGRES_PORT": str(postgres.port), "ASYNC": "yes"})
    with later.worker(pool, **keeps):
        told = later.run("-c", RUN).splitlines()
    assert told == ["chain_async completed 1 1 1 1", "inline_async completed 1 1 1 1"]


def test_a_schedule_asks_the_database_after_the_server_ended_the_connection(
    tmp_path, project, urls, postgres
):
    ticking = Project(tmp_path, {**urls, "POSTGRES_PORT": str(postgres.port), "TICKS": "yes"})
    with ticking.worker("threads"):
        assert ticking.run("-c", TICKS).splitlines()[-1].startswith("left ")


def test_a_delivery_leaves_no_connection_in_its_thread(project):
    assert project.run("-c", DELIVERIES).splitlines()[-1] == "8 asked, 1 open"
