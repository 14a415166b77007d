"""What a saga costs on its log: one command of ours to start it, two for each step."""

import pytest

from amends import Refused
from amends.log.saga_log import log_of
from benchmarks.monitor import Monitor, of_sagas
from tests.support.engine_saga import Job, job_saga, without_effect
from tests.support.eventually import eventually
from tests.support.log_view import view_of


class LogMonitor(Monitor):
    """Hear what is sent to the log about sagas."""

    @property
    def sent(self):
        database = self._client.connection_pool.connection_kwargs["db"]
        return [each.text for each in of_sagas(self.commands, database)]


@pytest.fixture
def monitor(app):
    log = log_of(app)
    log._store._prepare("start_saga")
    return LogMonitor(view_of(log).client)


def wait_for_the_end(work, log, saga_id):
    """Wait without a read of the log: what waits would be counted too."""
    eventually(lambda: sum(n for id_, n in work.ended.items() if id_.startswith(saga_id)) >= 3)


def test_a_start_costs_one_command_and_n_steps_two_each(work, log, monitor, saga_id):
    for warm_up in range(3):
        job_saga.start(Job(job_id=saga_id), saga_id=f"warm-{warm_up}-{saga_id}").wait(60)
    job = Job(job_id=saga_id)
    with monitor:
        job_saga.start(job, saga_id=saga_id)
        wait_for_the_end(work, log, saga_id)
    assert len(monitor.sent) == 1 + 2 * 3, "\n".join(monitor.sent)
    assert all(command.upper().startswith("EVALSHA") for command in monitor.sent)


def test_a_way_back_costs_one_more_for_its_advance(work, log, monitor, saga_id):
    job_saga.start(Job(job_id=saga_id), saga_id=f"warm-{saga_id}").wait(60)
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    with monitor:
        job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
        eventually(lambda: any(id_.startswith(saga_id) and "a.undo" in id_ for id_ in work.ended))
    assert len(monitor.sent) == 1 + 2 * 3 + 1 + 2 * 2, "\n".join(monitor.sent)
