"""A Redis, its Sentinel, and a cluster that take nothing but TLS, and only from clients with a certificate."""

import ssl
import uuid
from typing import Any

import pytest
from celery import Celery

import amends
from amends import CircuitBreaker, LogUnavailable
from amends.dispatch.in_process import run_here
from amends.log.saga_log import log_of
from demo.ports import free_port
from demo.programs import running
from demo.servers import RedisServer
from tests.support.engine_saga import Job, job_saga
from tests.support.redis_clusters import own_cluster
from tests.support.redis_sentinels import MASTER, SentinelServer
from tests.support.redis_servers import AT_HAND, knows_tls
from tests.support.tls import Certificates

PROGRAM = AT_HAND.get("installed")
pytestmark = pytest.mark.skipif(
    PROGRAM is None or not knows_tls(PROGRAM), reason="no redis-server is installed that knows TLS"
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def one(certificates, tmp_path_factory):
    port = free_port()
    how = {"port": port, "settings": certificates.settings(port), "program": PROGRAM}
    server = RedisServer("redis", directory=tmp_path_factory.mktemp("tls"), **how)
    server.way = f"rediss://127.0.0.1:{port}{certificates.query}"
    with running(server):
        yield server


@pytest.fixture(scope="module")
def several(certificates, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls-cluster")
    with own_cluster(directory, program=PROGRAM, tls=certificates) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def sentinel(certificates, one, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls-sentinel")
    how = {"primary": one.port, "program": PROGRAM, "tls": certificates}
    with running(server := SentinelServer("sentinel", directory=directory, **how)):
        yield server


@pytest.fixture(params=["in the URL", "as Celery says it", "a Sentinel", "a cluster"])
def configuration(request, certificates, one):
    """Give the settings of an app whose log is there."""
    if request.param == "a cluster":
        return {"amends_backend": request.getfixturevalue("several").url}
    if request.param == "in the URL":
        return {"amends_backend": one.way}
    given = {**certificates.options, "ssl_cert_reqs": ssl.CERT_REQUIRED}
    settings: dict[str, Any] = {"amends_backend": one.url, "amends_backend_use_ssl": given}
    if request.param == "a Sentinel":
        settings["amends_backend"] = (
            f"sentinel://127.0.0.1:{request.getfixturevalue('sentinel').port}"
        )
        settings["amends_backend_options"] = {
            "master_name": MASTER,
            "sentinel_kwargs": {"ssl": True, **certificates.options},
        }
    return settings


@pytest.fixture(params=[True, False], ids=["fast", "plain"])
def app(request, configuration):
    app = Celery("engine_saga", broker="memory://", set_as_current=False)
    app.conf.update(amends_fast_path=request.param, **configuration)
    app.set_current()
    app.set_default()
    app.finalize()
    yield app
    app.close()


@pytest.mark.usefixtures("app")
def test_a_saga_and_a_breaker_are_there(app):
    saga_id = uuid.uuid4().hex
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    run_here(app, saga_id)
    assert amends.get(saga_id).outcome == "completed"
    breaker = CircuitBreaker(f"payments-{saga_id}", failure_on=(OSError,))
    assert breaker.call(lambda: 1) == 1
    assert breaker.state == "closed"


@pytest.mark.parametrize(
    ("scheme", "options", "told"),
    [
        ("rediss", "", "is not trusted: .*; ssl_ca_certs has to name its CA"),
        ("rediss+cluster", "", "is not trusted: .*; ssl_ca_certs has to name its CA"),
        ("rediss", "?ssl_cert_reqs=none", "cannot be reached"),
        ("redis", "", "cannot be reached"),
    ],
    ids=["unknown CA", "unknown CA of a node", "no certificate", "no TLS"],
)
def test_whoever_is_not_let_in_is_told(one, scheme, options, told):
    app = Celery("stranger", broker="memory://", set_as_current=False)
    app.conf.amends_backend = f"{scheme}://127.0.0.1:{one.port}{options}"
    with pytest.raises(LogUnavailable, match=told):
        log_of(app).read_status("a")


def test_a_certificate_of_another_host_is_not_trusted(tmp_path):
    other = Certificates.make(tmp_path, hosts=["log.example"])
    port = free_port()
    server = RedisServer(
        "other", directory=tmp_path, program=PROGRAM, port=port, settings=other.settings(port)
    )
    server.way = f"rediss://127.0.0.1:{port}{other.query}&ssl_check_hostname=false"
    app = Celery("stranger", broker="memory://", set_as_current=False)
    app.conf.amends_backend = f"rediss://127.0.0.1:{port}{other.query}&ssl_check_hostname=true"
    with running(server), pytest.raises(LogUnavailable, match=r"not trusted: .* not valid for"):
        log_of(app).read_status("a")
