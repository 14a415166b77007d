"""What a saga costs on its log: one command of ours to start it, two for each step."""

import threading
import uuid

import pytest
from bench import Job, job_saga, without_effect

from amends import Refused
from amends.log import log_of
from amends.lua import DIGESTS

CONNECTING = {"CLIENT", "SELECT", "HELLO", "AUTH", "PING", "SCRIPT"}
REMOVING = {"TIME", "ZRANGEBYSCORE"}  # a worker looks now and then for sagas that ended long ago


class Monitor:
    """Listen with MONITOR to the commands that clients send to the log, leaving out what scripts do."""

    def __init__(self, client, left_out):
        self._client = client
        self._database = str(client.connection_pool.connection_kwargs["db"])
        self._left_out = left_out
        self._listening = threading.Event()
        self.commands = []

    def __enter__(self):
        self._end = uuid.uuid4().hex
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(self, *_):
        self._client.echo(self._end)
        self._thread.join(10)

    def _listen(self):
        with self._client.monitor() as monitor:
            self._listening.set()
            for line in monitor.listen():
                words = line["command"].split()
                if self._end in line["command"]:
                    return
                ours = line["client_type"] != "lua" and str(line["db"]) == self._database
                if (
                    ours
                    and words[0].upper() not in CONNECTING | REMOVING
                    and not self._left_out(words)
                ):
                    self.commands.append(line["command"])


@pytest.fixture
def monitor(app):
    log = log_of(app)
    log._store.prepare()
    left_out = {DIGESTS["take_due"], DIGESTS["note_heartbeat"], DIGESTS["remove_saga"]}
    return Monitor(log._store.client, lambda words: not left_out.isdisjoint(words[1:2]))


def wait_for_the_end(work, log, saga_id):
    """Wait without a read of the log: what waits would be counted too."""
    work.wait_until(lambda: sum(n for id_, n in work.ended.items() if id_.startswith(saga_id)) >= 3)


def test_a_start_costs_one_command_and_n_steps_two_each(work, log, monitor, saga_id):
    for warm_up in range(3):
        job_saga.start(Job(job_id=saga_id), saga_id=f"warm-{warm_up}-{saga_id}").wait(20)
    job = Job(job_id=saga_id)
    with monitor:
        job_saga.start(job, saga_id=saga_id)
        wait_for_the_end(work, log, saga_id)
    assert len(monitor.commands) == 1 + 2 * 3, monitor.commands
    assert all(command.upper().startswith("EVALSHA") for command in monitor.commands)


def test_a_way_back_costs_one_more_for_its_advance(work, log, monitor, saga_id):
    job_saga.start(Job(job_id=saga_id), saga_id=f"warm-{saga_id}").wait(20)
    work.script(f"{saga_id}:c", without_effect(Refused("no")))
    with monitor:
        job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
        work.wait_until(
            lambda: any(id_.startswith(saga_id) and "a.undo" in id_ for id_ in work.ended)
        )
    assert len(monitor.commands) == 1 + 2 * 3 + 1 + 2 * 2, monitor.commands
