"""What each answer of a service means to an activity: done, not done, refused, or nobody knows."""

import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import httpx
import pytest

from amends import Context, NotDone, Refused
from amends.activities.raised import is_unknown
from demo.ports import free_port
from tasks import gateway
from tests.support.call_context import entered


class InsufficientStock(Refused):
    pass


class Service(BaseHTTPRequestHandler):
    """Answer every call as the test says, and note what came."""

    protocol_version = "HTTP/1.1"
    status, body, headers_out = 200, b"{}", {}
    seen: ClassVar[list[tuple]] = []

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        self.seen.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
        if self.status == 0:
            self.close_connection = True
            return
        self.send_response(self.status)
        for name, value in {"Content-Length": len(self.body), **self.headers_out}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(self.body)

    do_DELETE = do_POST  # noqa: N815 - the name that the server calls

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def service(monkeypatch):
    """Run a service, and lead the gateway to it."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(gateway, "SERVICES_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(Service, "seen", [])
        gateway._client.cache_clear()

        def answer(status, body=b"{}", **headers):
            monkeypatch.setattr(Service, "status", status)
            monkeypatch.setattr(Service, "body", body)
            monkeypatch.setattr(Service, "headers_out", headers)

        yield answer
        server.shutdown()
    gateway._client.cache_clear()


@pytest.fixture(autouse=True)
def called():
    """Be inside of an activity."""
    current = Context(
        saga_id="s", step="x", attempt=1, deadline=time.time() + 5, idempotency_key="s:x:undo"
    )
    with entered(current):
        yield


def post():
    return gateway.post("/inventory/reservations", {"n": 1}, refusals=(InsufficientStock,))


def test_a_call_carries_its_idempotency_key_and_body(service):
    service(201, b'{"reservation_id": "r1"}')
    assert post() == {"reservation_id": "r1"}
    method, path, headers, body = Service.seen[0]
    assert (method, path, body) == ("POST", "/inventory/reservations", b'{"n":1}')
    assert headers["Idempotency-Key"] == "s:x:undo"


def test_an_undo_names_the_key_in_its_path(service):
    gateway.delete("/inventory/reservations", "s:x/y")
    assert Service.seen[0][:2] == ("DELETE", "/inventory/reservations/s%3Ax%2Fy")


@pytest.mark.parametrize(
    ("status", "body", "error", "unknown"),
    [
        (503, b"", NotDone, False),
        (409, b'{"error": "InsufficientStock", "message": "none left"}', InsufficientStock, False),
        (410, b'{"error": "Tombstone"}', gateway.Withdrawn, False),
        (409, b'{"error": "IdempotencyKeyReused"}', gateway.UnexpectedAnswer, True),
        (422, b'{"error": "InvalidRequest"}', gateway.UnexpectedAnswer, True),
        (404, b'{"error": "NotFound"}', gateway.UnexpectedAnswer, True),
        (302, b"", gateway.UnexpectedAnswer, True),
        (500, b'{"error": "InsufficientStock"}', gateway.ServerError, True),
        (502, b"<html>bad gateway</html>", gateway.ServerError, True),
    ],
)
def test_each_status_means_what_the_contract_says(service, status, body, error, unknown):
    service(status, body)
    with pytest.raises(error) as caught:
        post()
    assert type(caught.value) is error
    assert is_unknown(caught.value) is unknown


def test_a_refusal_says_what_the_service_said(service):
    service(409, b'{"error": "InsufficientStock", "message": "none left"}')
    with pytest.raises(InsufficientStock, match=r"^none left$"):
        post()


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[1, 2]", b'"text"', b"\xff\x00", b"{"])
@pytest.mark.parametrize("status", [200, 409])
def test_garbage_leaves_the_outcome_unknown_and_is_shown(service, status, body):
    service(status, body)
    with pytest.raises(gateway.UnexpectedAnswer, match="no JSON object") as caught:
        post()
    assert is_unknown(caught.value)


def test_an_answer_without_a_body_is_an_empty_object(service):
    service(200, b"")
    assert post() == {}


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("7", 7.0),
        *((each, 3600.0) for each in ("1795882568", "9" * 400, "Fri, 31 Dec 2999 23:59:59 GMT")),
        *((each, 0.0) for each in ("-7", "nan", "soon", "Wed, 21 Oct 2015 07:28:00 GMT")),
    ],
)
def test_a_service_that_says_when_to_come_back_is_heeded_for_an_hour_at_most(service, said, wait):
    service(503, b"", **{"Retry-After": said})
    with pytest.raises(NotDone) as caught:
        post()
    assert caught.value.retry_after == wait


def test_a_cut_connection_leaves_the_outcome_unknown(service):
    service(0)
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        post()
    assert is_unknown(caught.value)
    where = gateway.SERVICES_URL.removeprefix("http://")
    expected = (
        f"POST {where}/inventory/reservations: Server disconnected without sending a response"
    )
    assert str(caught.value) == expected


@pytest.mark.parametrize("status", [200, 500, 503])
def test_a_failure_names_method_host_and_path(service, status):
    service(status, b"<html>bad gateway</html>")
    where = gateway.SERVICES_URL.removeprefix("http://")
    with pytest.raises(Exception, match=f"^POST {where}/inventory/reservations: "):
        post()


def test_a_question_is_named_without_what_it_asks_for(service):
    service(500)
    with pytest.raises(gateway.ServerError) as caught:
        gateway.get("/payments/charges", key="s:x:secret")
    assert "secret" not in str(caught.value)


def test_a_refused_connection_is_certainly_not_done(service, monkeypatch):
    monkeypatch.setattr(gateway, "SERVICES_URL", f"http://127.0.0.1:{free_port()}")
    gateway._client.cache_clear()
    with pytest.raises(NotDone):
        post()
