"""Calls that leave the house: to hosts on the list alone, also by a redirect."""

from urllib.parse import urlsplit

import pytest

import tasks
from tasks import gateway
from tasks.gateway import HostNotAllowed, UnexpectedAnswer
from tests.integration.tasks.test_gateway import Service, called, service  # noqa: F401 - fixtures


@pytest.fixture
def allow(monkeypatch):
    tasks.app.set_current()

    def set_hosts(*hosts):
        monkeypatch.setitem(tasks.app.conf, "external_hosts", hosts)

    return set_hosts


def here(path="/echo"):
    return f"{gateway.SERVICES_URL}{path}"


def test_a_host_on_the_list_is_called(service, allow):  # noqa: F811
    service(200, b'{"answer": 42}')
    for allowed in ("127.0.0.1", urlsplit(here()).netloc):
        allow(allowed)
        assert gateway.post_outside(here(), {"question": 1}) == {"answer": 42}
    assert len(Service.seen) == 2


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest",
        "http://127.0.0.1.example/",
        "http://127.0.0.1@elsewhere.example/",
        "http://127.0.0.1:1/",
        "file:///etc/passwd",
    ],
)
def test_any_other_is_refused_before_any_connection(service, allow, monkeypatch, url):  # noqa: F811
    allow(urlsplit(here()).netloc)
    monkeypatch.setattr(gateway, "_sent", lambda request: pytest.fail(f"{request.url} was called"))
    with pytest.raises(HostNotAllowed, match="external_hosts in Celery's configuration"):
        gateway.post_outside(url, {})


@pytest.mark.parametrize("scheme", ["ftp", "file", "ws", "unix"])
def test_a_host_on_the_list_is_called_by_http_alone(allow, scheme):
    allow("127.0.0.1")
    with pytest.raises(HostNotAllowed):
        gateway.post_outside(f"{scheme}://127.0.0.1/echo", {})


def test_without_a_list_nobody_is_called(service, allow):  # noqa: F811
    allow()
    with pytest.raises(HostNotAllowed, match="names no host"):
        gateway.post_outside(here(), {})
    assert Service.seen == []


def test_a_redirect_to_a_host_that_is_not_on_the_list_is_not_followed(service, allow):  # noqa: F811
    allow(urlsplit(here()).netloc)
    service(307, Location="http://localhost:1/elsewhere")
    with pytest.raises(HostNotAllowed, match="localhost:1"):
        gateway.post_outside(here(), {})
    assert len(Service.seen) == 1


def test_a_redirect_on_the_list_is_followed_a_few_times(service, allow):  # noqa: F811
    allow("127.0.0.1")
    service(307, Location=here("/again"))
    with pytest.raises(UnexpectedAnswer, match="more than 5 redirects"):
        gateway.post_outside(here(), {})
    assert len(Service.seen) == 6
