"""What a page costs Redis does not grow with the log."""

import pytest
import redis

from amends.console.pages import needs
from tests.support.console import users_file, visiting
from tests.support.engine_saga import Job, engine_saga, job_saga, without_effect

FEW, MANY = 600, 800


@pytest.fixture(scope="module", autouse=True)
def _few_shards(app):
    """Let few sagas be many for each shard, from each of which a page reads ahead."""
    app.conf.amends_shards = 4


@pytest.fixture
def cost(app, redis_url, tmp_path):
    """Give `cost("/sagas")`: how many commands a page is, and how many bytes Redis answers."""
    app.conf.amends_console = {"users": str(users_file(tmp_path))}
    with redis.Redis.from_url(f"{redis_url}/3") as client, visiting(app, "admin") as visitor:

        def read():
            stats = client.info("stats")
            return stats["total_commands_processed"], stats["total_net_output_bytes"]

        def cost_of(path):
            visitor.get(path)  # what is loaded once
            before, idle = read(), read()
            assert visitor.get(path).status_code == 200
            after = read()
            own = [2 * two - one for one, two in zip(before, idle, strict=True)]
            return [now - then for now, then in zip(after, own, strict=True)]

        yield cost_of


def start(names):
    job_saga.start_many([Job(job_id=name) for name in names], saga_ids=names)


def test_a_page_of_the_list_costs_the_same_in_a_longer_log(app, cost):
    start([f"few-{n}" for n in range(FEW)])
    paths = (
        "/sagas",
        "/sagas?order=oldest",
        "/sagas?status=pending",
        "/workers",
        "/circuits",
        "/sagas/few-1",
    )
    before = {path: cost(path) for path in paths}
    start([f"many-{n}" for n in range(MANY)])
    for path in paths:
        commands, size = cost(path)
        assert commands <= before[path][0] + 20, path
        assert size <= 1.5 * before[path][1] + 20_000, path
        assert size < 300_000, path


def test_the_causes_of_many_stuck_sagas_are_read_up_to_a_bound(app, cost, monkeypatch):
    monkeypatch.setattr(needs, "LOOKED_AT", 20)
    app.conf.task_always_eager = True
    found = []
    for count in (60, 60):
        for name in (f"stuck-{len(found)}-{n}" for n in range(count)):
            engine_saga.script(f"{name}:c", *[without_effect(ValueError("no"))] * 2)
            engine_saga.script(f"{name}:a:undo", *[without_effect(ValueError("no"))] * 3)
            job_saga.start(Job(job_id=name), saga_id=name)
        found.append(cost("/"))
    app.conf.task_always_eager = False
    (commands, size), (later, larger) = found
    assert later <= commands + 20
    assert larger <= 1.5 * size
