"""The settings in Celery's configuration, and the client of the log."""

import os
from types import SimpleNamespace

import pytest
from celery import Celery

from amends import ConfigurationError
from amends.backend import settings
from amends.backend.client import _client, client_of
from amends.backend.settings import (
    Settings,
    backend_hint,
    is_configured,
    settings_of,
    unread_settings,
)

URL = "redis://127.0.0.1:6379/9"


@pytest.fixture
def app():
    return Celery("shop", broker="memory://", set_as_current=False)


def test_every_setting_but_the_backend_has_a_default(app):
    app.conf.amends_backend = URL
    assert settings_of(app) == Settings(
        backend=URL,
        compensation_queue=None,
        max_countdown=300.0,
        shards=64,
        sweep_interval=5.0,
    )


def test_settings_are_read_from_the_configuration(app):
    app.conf.update(
        amends_backend=URL,
        amends_compensation_queue="undo",
        amends_max_countdown=60,
        amends_shards=8,
        amends_sweep_interval=0.5,
    )
    assert settings_of(app) == Settings(
        backend=URL, compensation_queue="undo", max_countdown=60, shards=8, sweep_interval=0.5
    )


def test_a_setting_that_another_thread_makes_meanwhile_is_read(app, monkeypatch):
    app.conf.amends_backend = URL

    def read_late(app, read=settings._read):
        found = read(app)
        app.conf.amends_shards = 8
        return found

    monkeypatch.setattr(settings, "_read", read_late)
    assert settings_of(app).shards == 64
    assert settings_of(app).shards == 8


def test_settings_are_found_under_a_namespace_as_in_django(app):
    class DjangoSettings:
        CELERY_AMENDS_BACKEND = URL
        CELERY_AMENDS_SHARDS = 8
        AMENDS_SHARDS = 16

    app.config_from_object(DjangoSettings, namespace="CELERY")
    assert settings_of(app) == Settings(backend=URL, shards=8)


def test_settings_are_read_once_while_nothing_is_set(app):
    app.conf.amends_backend = URL
    assert settings_of(app) is settings_of(app)


@pytest.mark.parametrize(
    "change",
    [
        lambda app: setattr(app.conf, "amends_shards", 8),
        lambda app: app.conf.__setitem__("amends_shards", 8),
        lambda app: app.conf.update(amends_shards=8),
        lambda app: app.config_from_object({"amends_backend": URL, "amends_shards": 8}),
        lambda app: app.conf.add_defaults({"amends_shards": 8}),
        lambda app: app.add_defaults({"amends_shards": 8}),
    ],
)
def test_a_setting_that_changes_is_seen(app, change):
    app.conf.amends_backend = URL
    assert settings_of(app).shards == 64
    change(app)
    assert settings_of(app).shards == 8


def test_a_setting_that_is_taken_back_has_its_default_again(app, monkeypatch):
    app.conf.amends_backend = URL
    with monkeypatch.context() as patch:
        patch.setitem(app.conf, "amends_shards", 8)
        assert settings_of(app).shards == 8
    assert settings_of(app).shards == 64


@pytest.mark.parametrize("given", [{}, {"amends_backend": ""}, {"amends_backend": None}])
def test_a_missing_backend_is_named_with_its_app(app, given):
    app.conf.update(given)
    with pytest.raises(
        ConfigurationError, match="'shop' has no amends_backend: set it to the Redis URL"
    ):
        settings_of(app)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("amends_shard", r", did you mean 'amends_shards'\?"),
        ("amends_backends", r", did you mean 'amends_backend'\?"),
        (
            "amends_colour",
            "; known: acknowledged_file, acts_kept, acts_retention, archive, backend, backend_options, backend_use_ssl, compensation_queue, console, console_url, fast_path, give_up_after, hard_limit_after, health_file, http_key, http_url, key_prefix, max_countdown, monitor_events, namespace, operator, outbox_url, poison_after, remember, retention, shards, sweep_interval, timer_spread, tracebacks, traces, wait_replicas",
        ),
    ],
)
def test_an_unknown_setting_is_refused_with_the_one_that_was_meant(app, name, hint):
    app.conf.update({"amends_backend": URL, name: 1})
    with pytest.raises(
        ConfigurationError, match=f"unknown setting {name} in Celery's configuration{hint}"
    ):
        settings_of(app)


def test_an_unknown_setting_is_refused_under_a_namespace_too(app):
    app.config_from_object({"CELERY_AMENDS_SHARD": 8}, namespace="CELERY")
    with pytest.raises(ConfigurationError, match=r", did you mean 'amends_shards'\?"):
        settings_of(app)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("amends_shards", "64", "a whole number"),
        ("amends_shards", 6.4, "a whole number"),
        ("amends_shards", 0, "a whole number"),
        ("amends_sweep_interval", "5", "a number"),
        ("amends_sweep_interval", 0.0, "a number"),
        ("amends_max_countdown", -1, "a number"),
        ("amends_max_countdown", None, "a number"),
        ("amends_max_countdown", True, "a number"),
    ],
)
def test_a_setting_that_is_no_number_where_one_is_needed_is_refused(app, name, value, kind):
    app.conf.update({"amends_backend": URL, name: value})
    with pytest.raises(ConfigurationError) as caught:
        settings_of(app)
    assert str(caught.value) == f"{name} is {value!r}, not {kind} above 0"


def test_a_process_has_one_client_of_a_url():
    assert client_of(URL) is client_of(URL)
    assert client_of(URL) is not client_of(URL + "1")


def test_a_forked_child_gets_a_client_of_its_own(monkeypatch):
    parents = client_of(URL)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert client_of(URL) is not parents
    assert client_of(URL) is _client(URL, -1)


def test_a_client_gives_up_within_seconds_and_speaks_text():
    options = client_of(URL).connection_pool.connection_kwargs
    assert 0 < options["socket_connect_timeout"] <= 2.0
    assert 0 < options["socket_timeout"] <= 2.0
    assert options["retry"]._retries <= 2
    assert options["decode_responses"] is True


def configured(namespace=None, **names):
    """Return an app that is configured by an object with these names, as by a module."""
    app = Celery("shop", broker="memory://", set_as_current=False)
    app.config_from_object(SimpleNamespace(**names), namespace=namespace)
    return app


DJANGO = {"namespace": "CELERY", "CELERY_AMENDS_BACKEND": URL}
PLAIN = {"amends_backend": URL}


@pytest.mark.parametrize("own", [DJANGO, PLAIN], ids=["django", "plain"])
@pytest.mark.parametrize("name", ["AMENDS_TEAM", "AMENDS_SHARDS", "AMENDS_TIME_SCALE"])
def test_a_name_that_celery_does_not_read_is_left_alone(own, name):
    app = configured(**own, **{name: 16})
    assert is_configured(app)
    assert settings_of(app) == Settings(backend=URL)


@pytest.mark.parametrize(
    ("namespace", "read"), [("CELERY", "CELERY_AMENDS_BACKEND"), (None, "amends_backend")]
)
@pytest.mark.parametrize("name", ["AMENDS_BACKEND", "AMENDS_BAKEND"])
def test_a_backend_that_celery_does_not_read_is_named_with_the_key_that_it_reads(
    namespace, read, name
):
    app = configured(namespace, **{name: URL})
    assert not is_configured(app)
    with pytest.raises(ConfigurationError, match=f"{name} is not read, call it {read}$"):
        settings_of(app)
    assert backend_hint(app) == f"; {name} is not read, call it {read}"


def test_a_name_that_looks_like_a_setting_is_told_and_no_other():
    app = configured(**DJANGO, AMENDS_SHARD=16, AMENDS_TEAM="blue", MY_AMENDS_SHARDS=3)
    assert unread_settings(app) == {"AMENDS_SHARD": "CELERY_AMENDS_SHARDS"}
    assert unread_settings(configured(**DJANGO, AMENDS_BACKEND=URL)) == {}


@pytest.mark.parametrize("namespace", ["CELERY", None])
def test_a_setting_that_celery_reads_and_nobody_knows_is_refused(namespace):
    name = "CELERY_AMENDS_TEAM" if namespace else "amends_team"
    app = configured(**(DJANGO if namespace else PLAIN), **{name: "blue"})
    with pytest.raises(ConfigurationError, match="unknown setting amends_team"):
        settings_of(app)


# Links

KEY = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, None),
        ("https://shop.example/links", "https://shop.example/links"),
        ("http://localhost:8000/", "http://localhost:8000"),
        ("https://shop.example", "https://shop.example"),
    ],
)
def test_the_url_of_links_is_read_without_a_slash_at_its_end(app, given, read):
    app.conf.update(amends_backend=URL, amends_http_url=given)
    assert settings_of(app).http_url == read


@pytest.mark.parametrize(
    "given",
    [
        *(
            "",
            "shop.example/links",
            "/links",
            "ftp://shop.example",
            "https://",
            "https://shop.example?a=1",
        ),
        *(
            "https://ada:secret@shop.example",
            "https://shop.example/#a",
            "https://shop.example:x",
            8000,
        ),
    ],
)
def test_what_is_no_url_of_links_is_refused(app, given):
    app.conf.update(amends_backend=URL, amends_http_url=given)
    with pytest.raises(ConfigurationError, match="amends_http_url is not the public URL") as caught:
        settings_of(app)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "read"),
    [(None, None), (KEY, (KEY,)), ([KEY, KEY[::-1]], (KEY, KEY[::-1])), ((KEY,), (KEY,))],
)
def test_a_key_of_links_may_be_several(app, given, read):
    app.conf.update(amends_backend=URL, amends_http_key=given)
    assert settings_of(app).http_key == read


@pytest.mark.parametrize(
    "given", ["", KEY[1:], [], [KEY, KEY[1:]], [KEY, None], {KEY: 1}, 7, KEY.encode()]
)
def test_what_is_no_key_of_links_is_refused_without_a_word_of_it(app, given):
    app.conf.update(amends_backend=URL, amends_http_key=given)
    with pytest.raises(ConfigurationError, match=r"secrets\.token_urlsafe") as caught:
        settings_of(app)
    assert KEY[1:] not in str(caught.value)


def test_keys_are_in_no_text(app):
    app.conf.update(amends_backend=URL, amends_http_key=[KEY])
    assert KEY not in repr(settings_of(app))
    assert KEY not in app.conf.humanize()
