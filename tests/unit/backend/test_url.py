"""How `amends_backend` may be spelled."""

import pytest
from celery import Celery

from amends import ConfigurationError
from amends.backend.client import client_of
from amends.backend.settings import settings_of
from amends.backend.url import redis_url


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("redis://localhost:6379/1", "redis://localhost:6379/1"),
        ("redis://", "redis://"),
        ("redis://:s%2Fe%23cret@log/", "redis://:s%2Fe%23cret@log/"),
        ("redis://ada:p@ss@[::1]:6379/0", "redis://ada:p@ss@[::1]:6379/0"),
        ("redis://log/0?health_check_interval=5", "redis://log/0?health_check_interval=5"),
        ("valkey://log:6379/1", "redis://log:6379/1"),
        ("valkeys://log", "rediss://log"),
        ("redis+socket:///run/redis.sock?virtual_host=3", "unix:///run/redis.sock?db=3"),
        ("socket:///run/redis.sock", "unix:///run/redis.sock"),
        ("unix://ada:pw@/run/redis.sock?db=3", "unix://ada:pw@/run/redis.sock?db=3"),
        ("memory://", "memory://"),
        ("memory://one", "memory://one"),
    ],
)
def test_a_url_is_read_as_celery_and_redis_py_spell_it(given, read):
    assert redis_url(given) == read
    assert redis_url(read) == read


@pytest.mark.parametrize("name", ["none", "optional", "required"])
@pytest.mark.parametrize("spelled", ["{}", "CERT_{}"], ids=["redis-py's", "Celery's"])
def test_a_certificate_is_asked_for_as_redis_py_and_as_celery_say_it(name, spelled):
    value = spelled.format(name.upper() if "_" in spelled else name)
    url = redis_url(f"rediss://log/0?ssl_cert_reqs={value}&ssl_ca_certs=/etc/ca.pem")
    options = client_of(url).get_connection_kwargs()
    assert (options["ssl_cert_reqs"], options["ssl_ca_certs"]) == (name, "/etc/ca.pem")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "is no URL"),
        ("localhost:6379", "is no URL"),
        ("http://log:6379", "unknown scheme 'http'; known: redis, "),
        ("rediz://log:6379", "unknown scheme 'rediz', did you mean 'redis'"),
        ("sentinel://a:26379;sentinel://b:26379/0", "names Sentinels, .* name the primary"),
        ("redis+cluster://a:7000", "names a cluster"),
        ("redis://log:port/0", "a port that is no number"),
        ("redis://:sec/ret@log:6379/0", "a port that is no number"),
        ("redis://:sec[ret@log:6379/0", "has a host that is none"),
        ("redis://:sec\u2100ret@log:6379/0", "has a host that is none"),
        ("redis://:sec#ret@log:6379/0", "has a "),
        ("redis://:9/secret@log:6379/0", "has an @ behind its host"),
        ("redis://log/orders", "has the database 'orders', which is no number"),
        ("redis://log/0?socket_timeout=long", "Invalid value for 'socket_timeout'"),
        ("redis://log/0?sockettimeout=1", "unexpected keyword argument 'sockettimeout'"),
        ("redis://log/0?ssl_cert_reqs=CERT_NONE", "unexpected keyword argument"),
        ("rediss://log/0?ssl_cert_reqs=sometimes", "sometimes"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_and_no_password_is_told(given, why):
    with pytest.raises(ConfigurationError, match=f"amends_backend .*{why}") as raised:
        redis_url(given)
    assert "sec" not in str(raised.value).replace("redis://user", "")


def test_a_url_is_checked_as_the_settings_are_read():
    app = Celery("shop", broker="memory://", set_as_current=False)
    app.conf.amends_backend = "valkey://log:6379/1"
    assert settings_of(app).backend == "redis://log:6379/1"
    app.conf.amends_backend = "sentinel://log:26379"
    with pytest.raises(ConfigurationError, match="Sentinels"):
        settings_of(app)
