"""The same, with real workers and real signals: SIGKILL, SIGSTOP and a cancel at a boundary."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from multiprocessing.managers import BaseManager

import pytest
import redis

from amends.log.saga_log import log_of
from tests.explorer.apps import explored_app
from tests.explorer.explored_saga import SAGA_ID, Job, saga_of
from tests.explorer.judgement import Evidence, wrongs_of
from tests.explorer.log_moments import Diary
from tests.explorer.plots import PLOTS
from tests.explorer.receiver import Ledger
from tests.support.eventually import eventually

PLOT = {plot.name: plot for plot in PLOTS}


class Attempts:
    """Counts the attempts at each record, for workers that die."""

    def __init__(self):
        self._made = Counter()

    def next(self, path):
        self._made[path] += 1
        return self._made[path] - 1


class Theatre:
    """Two real workers, what is outside of them, and the log."""

    def __init__(self, urls, directory, ledger_at):
        self.app = explored_app(**urls)
        client = redis.Redis.from_url(urls["backend"], decode_responses=True)
        self.broker = redis.Redis.from_url(urls["broker"])
        self.diary = Diary(client, log_of(self.app))
        self.mark = directory / "struck"
        self._output = (directory / "workers.log").open("w")
        self._environment = {
            **os.environ,
            "CELERY_BROKER_URL": urls["broker"],
            "AMENDS_BACKEND": urls["backend"],
            "LEDGER": ledger_at,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self.workers = []
        for each in (client, self.broker):
            each.flushdb()

    def open(self, plot, strike, at):
        """Begin with two workers, of which the first that crosses there is struck."""
        added = {
            "PLOT": plot.name,
            "STRIKE": strike,
            "STRIKE_AT": at,
            "STRIKE_MARK": str(self.mark),
        }
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "tests.explorer.crashing_app",
            "worker",
            "-c",
            "1",
        ]
        self.workers = [
            subprocess.Popen(
                [*command, "-n", f"{name}@%h", "-Q", "work,undo", "--without-mingle"],
                env={**self._environment, **added},
                stdout=self._output,
                stderr=self._output,
                start_new_session=True,
            )
            for name in ("first", "second")
        ]
        saga_of(plot.timeout, plot.dispatch).start(Job(job_id=SAGA_ID), saga_id=SAGA_ID)

    def thaw(self):
        """Let the frozen worker go on, and wait until no message is in anybody's hands."""
        for worker in self.workers:
            os.killpg(worker.pid, signal.SIGCONT)
        thawed = time.monotonic()
        eventually(lambda: self._hands_are_empty(since=thawed))

    def _hands_are_empty(self, since):
        """Tell whether both workers said so since then."""
        beats = log_of(self.app).workers.read_heartbeats()
        recent = [beat for beat in beats if beat.age < time.monotonic() - since]
        return len(recent) == len(self.workers) and not any(map(any, (b.messages for b in recent)))

    def close(self):
        for sign in (signal.SIGCONT, signal.SIGTERM):
            for worker in self.workers:
                if worker.poll() is None:
                    os.killpg(worker.pid, sign)
        for worker in self.workers:
            try:
                worker.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()
        self._output.close()
        self.app.close()


def _serve(server):
    with suppress(SystemExit):  # how a manager's server ends
        server.serve_forever()


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def theatre(ledger, backend, redis_url, tmp_path):
    class Outside(BaseManager):
        pass

    attempts = Attempts()
    Outside.register("ledger", lambda: ledger)
    Outside.register("attempts", lambda: attempts)
    server = Outside(("127.0.0.1", 0), authkey=b"explored").get_server()
    threading.Thread(target=_serve, args=(server,), daemon=True).start()
    host, port = server.address
    urls = {"broker": f"{redis_url}/7", "backend": backend}
    theatre = Theatre(urls, tmp_path, f"{host}:{port}")
    yield theatre
    theatre.close()
    server.stop_event.set()


def play(theatre, ledger, plot, strike, at):
    theatre.open(plot, strike, at)
    eventually(lambda: theatre.diary.read().at_rest)
    end = theatre.diary.read()
    if strike == "freeze the worker":
        theatre.thaw()
    evidence = Evidence(
        ledger=ledger, struck=theatre.mark.exists(), cancelled=strike == "cancel the saga"
    )
    assert evidence.struck, f"nobody came by {at}"
    return wrongs_of(plot, evidence, end, theatre.diary.read())


def test_a_real_worker_killed_after_the_effect_costs_the_saga_nothing(theatre, ledger):
    plot = PLOT["last step refused"]
    assert play(theatre, ledger, plot, "kill the worker", "after effect b") == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("strike", "at", "plot"),
    [
        ("kill the process", "before effect b", "last step refused"),
        ("kill the worker", "after complete_step b", "last step refused"),
        ("kill the worker", "after undo effect b", "switch after a void"),
        ("freeze the worker", "before effect b", "last step refused"),
        ("freeze the worker", "before fail_step b", "switch after a void"),
        ("cancel the saga", "before claim_step b:fallback", "switch after a void"),
        ("kill the worker", "after complete_and_claim a", "last step refused, inline"),
        ("freeze the worker", "after complete_and_claim a", "last step refused, inline"),
        ("cancel the saga", "before complete_and_claim b", "last step refused, inline"),
    ],
)
def test_real_workers_and_signals_change_nothing_in_how_a_saga_ends(
    theatre, ledger, strike, at, plot
):
    assert play(theatre, ledger, PLOT[plot], strike, at) == []
