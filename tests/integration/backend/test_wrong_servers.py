"""What a wrong `amends_backend` is told: by a start, a list, a breaker and the doctor, in a sentence of our own."""

import re
import uuid

import pytest
import redis
from celery import Celery

from amends import CircuitBreaker, ConfigurationError, LogUnavailable
from amends.diagnosis.deployment.examination import examine
from amends.log.queries.listing import find_sagas
from amends.log.queries.query import Query
from demo.ports import LOOPBACK, free_port
from demo.programs import running
from demo.servers import RedisServer
from tests.support.engine_saga import Job, job_saga
from tests.support.redis_sentinels import MASTER, SentinelServer

CLOSED = f"{LOOPBACK}:{free_port()}"
REFUSES = r"refuses the user or the password \(NOAUTH\); correct them in amends_backend"
DENIES = r"denies the user a right \(NOPERM\): .*'\S+' command.*; `celery -A APP saga doctor --acl USER` prints"
NAMES = "amends_backend has to name a database of a Redis"
WRONG = {
    "no password": ("redis://{redis}/1", REFUSES),
    "a wrong password": ("redis://few:wrong@{redis}/1", REFUSES),
    "no rights": ("redis://few:secret@{redis}/1", DENIES),
    "no such database": ("redis://:root@{redis}/99", f"DB index is out of range; {NAMES}"),
    # Redis 6.2 quotes it with backticks.
    "a Sentinel as Redis": ("redis://{sentinel}/0", rf"unknown command ['`]\w+['`]; {NAMES}"),
    "nobody": (f"redis://{CLOSED}/1", f"cannot be reached: Error 111 connecting to {CLOSED}"),
    "a Redis as cluster": ("redis+cluster://:root@{redis}", "write redis:// in place of"),
    "a cluster, no password": ("redis+cluster://{redis}", REFUSES),
    "a cluster, no rights": ("redis+cluster://few:secret@{redis}", DENIES),
    "a cluster, nobody": (f"redis+cluster://{CLOSED}", "no node answers that it names: Error 111"),
    "Sentinels, nobody": (
        f"sentinel://{CLOSED}/0?master_name={MASTER}",
        f"no Sentinel names the primary '{MASTER}'; Error 111 connecting to {CLOSED}",
    ),
    "a Redis as Sentinel": (
        f'sentinel://{{redis}}/0?master_name={MASTER}&sentinel_kwargs={{{{"password":"root"}}}}',
        "{redis} is no Sentinel",
    ),
    "Sentinels, another name": (
        "sentinel://{sentinel}/0?master_name=nobody",
        f"watch no primary 'nobody', only '{MASTER}'; correct the master_name",
    ),
    "Sentinels, a wrong password": (
        f'sentinel://{{sentinel}}/0?master_name={MASTER}&sentinel_kwargs={{{{"password":"wrong","username":"x"}}}}',
        r"the Sentinel at {sentinel} refuses .* amends_backend_options\[.sentinel_kwargs.\]",
    ),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Give a Redis with a password, which has a user with few rights too, and a Sentinel."""
    directory = tmp_path_factory.mktemp("places")
    server = RedisServer("redis", directory=directory, settings={"requirepass": "root"})
    server.way = server.url.replace("://", "://:root@")
    sentinel = SentinelServer("sentinel", directory=directory, primary=server.port)
    with running(server, sentinel):
        with redis.Redis.from_url(server.way) as client:
            client.execute_command(
                *["ACL", "SETUSER", "few", "on", ">secret", "~*", "-@all", "+ping", "+get"]
            )
        yield {name: each.url[8:] for name, each in (("redis", server), ("sentinel", sentinel))}


@pytest.fixture
def app():
    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()


def doctor(app):
    (found,) = (each for each in examine(app).findings if each.code == "log.away")
    raise LogUnavailable(found.what)


@pytest.mark.parametrize("name", WRONG)
def test_it_is_said_what_is_wrong_and_what_to_do(app, places, name):
    url, told = WRONG[name]
    app.conf.amends_backend = url.format(**places)
    told = re.compile(told.format(**places))
    saga_id = uuid.uuid4().hex
    for ask in (
        lambda: job_saga.start(Job(job_id=saga_id), saga_id=saga_id),
        lambda: find_sagas(app, Query(), limit=1),
        lambda: CircuitBreaker(f"payments-{saga_id}", failure_on=(OSError,)).state,
        lambda: doctor(app),
    ):
        with pytest.raises((LogUnavailable, ConfigurationError)) as error:
            ask()
        assert told.search(str(error.value))
        assert "secret" not in str(error.value)
        assert "redis." not in str(error.value)  # a module of redis-py's
