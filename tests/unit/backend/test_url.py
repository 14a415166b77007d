"""How `amends_backend` may be spelled."""

import ssl

import pytest
from celery import Celery

from amends import ConfigurationError
from amends.backend.client import client_of, impatient_client_of
from amends.backend.settings import settings_of
from amends.backend.url import address_of, nodes_of, redis_url, sentinel_options
from tests.support.tls import Certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


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
def test_a_certificate_is_asked_for_as_redis_py_and_as_celery_say_it(name, spelled, certificates):
    value = spelled.format(name.upper() if "_" in spelled else name)
    url = redis_url(f"rediss://log/0?ssl_cert_reqs={value}&ssl_ca_certs={certificates.authority}")
    options = client_of(url).get_connection_kwargs()
    told = (options["ssl_cert_reqs"], options["ssl_ca_certs"])
    assert told == (name, str(certificates.authority))


@pytest.mark.parametrize(
    ("name", "file"),
    [("ssl_ca_certs", "nowhere"), ("ssl_ca_certs", "key"), ("ssl_keyfile", "authority")],
)
def test_a_file_that_is_no_certificate_or_key_is_named(name, file, certificates):
    path = str(getattr(certificates, file, "/nowhere.pem"))
    with pytest.raises(ConfigurationError, match=rf"cannot be used \(.*{path}"):
        redis_url("rediss://log", None, {**certificates.options, name: path})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (None, "is no URL"),
        ("localhost:6379", "is no URL"),
        ("http://log:6379", "unknown scheme 'http'; known: redis, "),
        ("rediz://log:6379", "unknown scheme 'rediz', did you mean 'redis'"),
        ("sentinel://a:26379;sentinel://b:26379/0", "not which primary .* amends_backend_options"),
        ("redis+cluster://a:7000/1", "names a database of a cluster"),
        ("redis+cluster://a:7000?db=1", "names a database of a cluster"),
        ("redis+cluster://a:7000;redis+cluster://b:port", "a port that is no number"),
        ("redis://log:port/0", "a port that is no number"),
        ("redis://:sec/ret@log:6379/0", "a port that is no number"),
        ("redis://:sec[ret@log:6379/0", "has a host that is none"),
        ("redis://:sec\u2100ret@log:6379/0", "has a host that is none"),
        ("redis://:sec#ret@log:6379/0", "has a "),
        ("redis://:9/secret@log:6379/0", "has an @ behind its host"),
        ("redis://log/orders", "has the database 'orders', which is no number"),
        ("redis://log/0?socket_timeout=long", "Invalid value for 'socket_timeout'"),
        ("redis://log/0?sockettimeout=1", "option 'sockettimeout', which redis-py does not know"),
        (
            "redis://log/0?ssl_cert_reqs=CERT_NONE",
            "option 'ssl_cert_reqs', which redis-py does not know",
        ),
        ("rediss://log/0?ssl_cert_reqs=sometimes", "sometimes"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_and_no_password_is_told(given, why):
    with pytest.raises(ConfigurationError, match=f"amends_backend .*{why}") as raised:
        redis_url(given)
    assert "sec" not in str(raised.value).replace("redis://user", "")


def test_a_file_may_be_a_path_and_an_option_that_is_not_set_is_left_out(certificates):
    tls = {"ssl_ca_certs": certificates.authority, "ssl_certfile": None}
    assert redis_url("redis://log", None, tls) == f"rediss://log?ssl_ca_certs={tls['ssl_ca_certs']}"


def test_a_url_is_checked_as_the_settings_are_read():
    app = Celery("shop", broker="memory://", set_as_current=False)
    app.conf.amends_backend = "valkey://log:6379/1"
    assert settings_of(app).backend == "redis://log:6379/1"
    app.conf.amends_backend = "sentinel://log:26379"
    with pytest.raises(ConfigurationError, match="Sentinels"):
        settings_of(app)
    app.conf.amends_backend_options = {"master_name": "orders"}
    assert settings_of(app).backend == "redis+sentinel://log:26379/?master_name=orders"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (
            "redis+cluster://ada:pw@a:7000;b:7001",
            "redis+cluster://ada:pw@a:7000/;redis+cluster://ada:pw@b:7001/",
        ),
        (
            "valkeys+cluster://a;valkeys+cluster://b?ssl_cert_reqs=CERT_NONE",
            "rediss+cluster://a/?ssl_cert_reqs=none;rediss+cluster://b/?ssl_cert_reqs=none",
        ),
        (
            "sentinel://:pw@a:26379;sentinel://:pw@b:26379/3?master_name=orders",
            "redis+sentinel://:pw@a:26379/3?master_name=orders;redis+sentinel://:pw@b:26379/3?master_name=orders",
        ),
    ],
)
def test_several_nodes_are_told_alike(given, read):
    assert redis_url(given) == read
    assert redis_url(read) == read


def test_an_option_of_the_url_stands_in_place_of_the_clients_own_under_sentinels():
    options = {"master_name": "orders", "socket_timeout": 3}
    client = impatient_client_of(redis_url("sentinel://localhost:1/1", options))
    assert client.get_connection_kwargs()["socket_timeout"] == 3


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"min_other_sentinels": "two"}, "not understood: .*'two'"),
        ({"sentinel_kwargs": "[1]"}, "not understood"),
        ({"sentinel_kwargs": "{"}, "no JSON"),
        ({"sentinel_kwargs": {"pasword": "secret"}}, "not understood: .*'pasword'"),
        ({"sentinel_kwargs": {"retry": object()}}, "no URL can have"),
    ],
)
def test_options_that_no_sentinel_can_be_asked_with_are_refused(options, why):
    with pytest.raises(ConfigurationError, match=f"amends_backend .*{why}") as raised:
        redis_url("sentinel://a:26379", {"master_name": "orders", **options})
    assert "secret" not in str(raised.value)


def test_what_celery_gives_a_result_backend_beside_its_url_is_taken(certificates):
    tls = {
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
        "ssl_ca_certs": str(certificates.authority),
        "ssl_check_hostname": False,
    }
    url = redis_url("redis://log:6380/1", None, tls)
    options = client_of(url).get_connection_kwargs()
    assert {name: options[name] for name in tls} == {**tls, "ssl_cert_reqs": "required"}
    assert (
        redis_url("redis://log", {"socket_timeout": 3}, use_ssl=True)
        == "rediss://log?socket_timeout=3"
    )
    asked = {"master_name": "orders", "sentinel_kwargs": {"password": "p&w"}}
    url = redis_url("sentinel://a:26379", asked)
    assert sentinel_options(nodes_of(url, "sentinel")[0]) == asked
    with pytest.raises(ConfigurationError, match="names a socket"):
        redis_url("unix:///run/redis.sock", None, use_ssl=True)


@pytest.mark.parametrize(
    ("backend", "named"),
    [
        ("redis://:se;cret@log:6379/1", "redis://:**@log:6379/1"),
        (
            "rediss+cluster://:pw@a:7000;b:7000?ssl_password=pw",
            "rediss+cluster://:**@a:7000/;rediss+cluster://:**@b:7000/",
        ),
    ],
)
def test_the_log_is_named_without_its_password(backend, named):
    assert address_of(redis_url(backend)) == named


@pytest.mark.parametrize(
    ("backend", "options", "why"),
    [
        ("redis://log/1", {"master_name": "orders"}, "names no Sentinels, and has master_name"),
        ("redis+cluster://log", {"sentinel_kwargs": "{}"}, "names no Sentinels, and has sentinel"),
        ("redis://log/1?master_name=orders", None, "names no Sentinels, and has master_name"),
        ("redis://log/1?wait=3", None, "has the option 'wait', which redis-py does not know"),
        ("redis://log/1", {"socket_timeuot": 3}, "has the option 'socket_timeuot'"),
    ],
)
def test_an_option_that_no_connection_takes_is_refused_by_its_name(backend, options, why):
    with pytest.raises(ConfigurationError, match=f"amends_backend {why}"):
        redis_url(backend, options)


def test_an_option_of_tls_that_is_misspelt_is_refused_by_its_name():
    with pytest.raises(ConfigurationError, match=r"'ssl_cert_req'.* amends_backend_use_ssl"):
        redis_url("rediss://log/1", None, {"ssl_cert_req": "none"})


def test_a_certificate_that_is_not_there_is_told_from_the_others(certificates):
    given = {**certificates.options, "ssl_keyfile": "/nowhere.pem"}
    with pytest.raises(ConfigurationError, match=r"there is no file /nowhere\.pem"):
        redis_url("rediss://log", None, given)
