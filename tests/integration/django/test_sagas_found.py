"""The sagas.py of each installed app is imported, in web processes and in workers."""

import pytest

WEB = "import django; django.setup(); "
WORKER = "from site_of_tests.celery import app; app.loader.import_default_modules(); "
TELL = "from amends.dispatch.children import STARTS; print(*sorted(STARTS))"
OWN = """
from amends import Saga, Step, activity
from orders.sagas import OrderInput, Result

@activity
def pack(order: OrderInput) -> None: ...

packing_saga = Saga("packing", input=OrderInput, output=Result, steps=[Step(pack, compensation=None)])
"""
processes = pytest.mark.parametrize("process", [WEB, WORKER], ids=["web", "worker"])


@processes
def test_sagas_of_each_app_are_found_and_an_app_may_have_none(project, process):
    assert (
        "counted looks_chain looks_chain_async looks_inline looks_inline_async purchase"
        in project.run("-c", process + TELL)
    )
    project.write("plain/sagas.py", OWN)
    assert "looks_inline looks_inline_async packing purchase" in project.run("-c", process + TELL)


@processes
@pytest.mark.parametrize("mistake", ["import no_such_module", "1 / 0", "from plain import nothing"])
def test_an_error_in_a_module_of_sagas_is_raised(project, process, mistake):
    project.write("plain/sagas.py", mistake)
    told = project.run("-c", process + TELL, fails=True)
    assert "plain/sagas.py" in told
    assert "Error" in told


def test_a_worker_runs_what_it_found_and_its_relay_starts_it(project):
    project.run("manage.py", "migrate", "-v0")
    with project.worker("solo"):
        told = project.run("-c", WEB + RELAYED)
    assert told.splitlines()[-1] == "completed"


RELAYED = """
from django.db import transaction
from amends.outbox import delivery
from orders.sagas import OrderInput, counted_saga
from amends import UnknownSaga
import time
delivery.threads._rests_until = float("inf")  # as if this process was killed after its commit
with transaction.atomic():
    handle = counted_saga.start_on_commit(OrderInput(number=1))
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("UPDATE amends_outbox SET due_at = 0")
until = time.monotonic() + 60
while time.monotonic() < until:
    try:
        print(handle.wait(timeout=60).outcome)
        break
    except UnknownSaga:
        time.sleep(0.05)
"""


def test_a_command_that_reads_the_outbox_sets_django_up(project):
    project.run("manage.py", "migrate", "-v0")
    words = ("-W", "error::RuntimeWarning", "-m", "celery", "-A", "site_of_tests", "saga", "stats")
    assert "0 waiting in the outbox" in project.run(*words)
