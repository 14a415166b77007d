"""Waiting for sagas in a process of greenlets: its waits share one subscription, whose thread is a greenlet too."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

PROGRAM = """
from gevent import monkey
monkey.patch_all()
import sys, threading
import redis
from celery import Celery
from amends.dispatch.in_process import run_here
from tests.support.engine_saga import Job, job_saga
from tests.support.eventually import eventually

url = sys.argv[1]
app = Celery("engine_saga", broker="memory://")
app.conf.amends_backend = url
app.set_default()
handles = [job_saga.start(Job(job_id=f"green-{k}"), saga_id=f"green-{k}") for k in range(20)]
found = []
waits = [threading.Thread(target=lambda h=h: found.append(h.wait(60))) for h in handles * 10]
for wait in waits:
    wait.start()
client = redis.Redis.from_url(url, decode_responses=True)
eventually(lambda: client.pubsub_channels("amends:waits:*"))
for handle in handles:
    run_here(app, handle.id)
for wait in waits:
    wait.join()
print(len(found), {each.outcome for each in found}, len(client.pubsub_channels("amends:waits:*")))
"""


def test_greenlets_wait_by_one_subscription(redis_url):
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, f"{redis_url}/4"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ended.stdout.strip() == "200 {'completed'} 1", ended.stderr
