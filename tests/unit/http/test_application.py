"""The application of links, without a saga: what is answered before one is asked, and with what headers."""

import asyncio
import logging
import re
import threading
from html import unescape

import httpx
import pytest
from celery import Celery

from amends import ConfigurationError, Handle, Signalled
from amends.http import http_app
from tests.support.link_client import BASE, KEY, LinkClient, link_of, url_of

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="module")
def celery():
    app = Celery("links", broker="memory://", set_as_current=False)
    app.conf.update(amends_backend=NOWHERE, amends_http_key=KEY)
    return app


@pytest.fixture(scope="module")
def client(celery):
    return LinkClient(celery)


def text_of(answer):
    return unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", answer.text, flags=re.DOTALL))


def test_get_says_what_the_link_does_and_asks_no_log(client):
    answer = client.get(url_of(by="ada@shop.example", value={"granted": True, "limit_eur": 500}))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.count("<button>") == 1
    assert '<form method="post">' in answer.text
    shown = text_of(answer)
    for each in ("Approval", "order-81", "Granted yes", "Limit eur 500", "ada@shop.example"):
        assert each in re.sub(r"\s+", " ", shown)


def test_head_is_get_without_the_page(client):
    url = url_of()
    head, get = client.ask("HEAD", url), client.get(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == get.headers


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("accepts_json", [False, True])
def test_no_answer_is_kept_leaks_its_address_or_loads_anything(client, method, accepts_json):
    for url in (url_of(), f"{BASE}/nothing", url_of(expires_at=1)):
        answer = client.ask(method, url, json=accepts_json)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["vary"] == "Accept"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<script|src=|href=|url\(|@import", answer.text)


def test_a_program_gets_json(client):
    answer = client.get(url_of(expires_at=2_000_000_000), json=True)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "saga": "order",
        "saga_id": "order-81",
        "wait": "approval",
        "value": {"granted": True},
        "by": None,
        "expires_at": "2033-05-18T03:33:20+00:00",
    }


def test_all_that_is_no_link_has_one_answer(client):
    token = link_of().token(KEY)
    text, _, signature = token.partition(".")
    wrong = [
        f"{BASE}/{each}"
        for each in (
            "",
            "x",
            text,
            f"{text}.",
            f".{signature}",
            f"{token}/",
            link_of().token("o" * 32),
        )
    ]
    for method in ("GET", "POST"):
        answers = [client.ask(method, url) for url in wrong]
        assert {(each.status_code, each.text) for each in answers} == {(404, answers[0].text)}
        assert {tuple(sorted(each.headers.items())) for each in answers} == {
            tuple(sorted(answers[0].headers.items()))
        }
    assert client.get(f"{BASE}/x", json=True).json()["error"].startswith("This link is not valid. ")


def test_the_link_works_wherever_it_is_mounted(client):
    token = link_of().token(KEY)
    for base in ("https://a.example", "https://a.example/b/c", "http://127.0.0.1:8000/links"):
        assert client.get(f"{base}/{token}?utm_source=mail").status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_link_past_its_time_has_expired(client, method):
    assert client.ask(method, url_of(expires_at=1_000_000_000)).status_code == 410


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(client, method):
    answer = client.ask(method, url_of())
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


def test_a_body_is_refused_for_it_may_mean_something_else_than_the_link(client):
    answer = client.post(url_of(), content=b'{"granted": false}', json=True)
    assert answer.status_code == 400
    assert "Send no body: the link says all" in answer.json()["error"]


def test_what_is_signed_is_text_in_the_page(client):
    value = {"<b>x</b>": '"><script>alert(1)</script>', "n": ["<i>"]}
    answer = client.get(url_of(wait="<u>w", saga_id="o", by="<img src=x>", value=value))
    assert not re.search(r"<(b|script|i|u|img)\b", answer.text)
    assert "alert(1)" in text_of(answer)


def test_a_log_that_is_away_is_told_with_when_to_come_again(client):
    answer = client.post(url_of(), json=True)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "it counts once, however often you send it" in answer.json()["error"]
    assert "127.0.0.1" not in answer.text


def test_a_log_that_hangs_holds_up_no_other_request(client, monkeypatch):
    has_begun, is_over, loop = asyncio.Event(), threading.Event(), None

    def hang(*_, **__):
        loop.call_soon_threadsafe(has_begun.set)
        assert is_over.wait(30)
        return Signalled.TAKEN

    async def ask():
        nonlocal loop
        loop = asyncio.get_running_loop()
        transport = httpx.ASGITransport(app=client.app)
        async with httpx.AsyncClient(transport=transport) as browser:
            post = asyncio.create_task(browser.post(url_of()))
            await has_begun.wait()
            get = await browser.get(url_of())
            is_over.set()
            return get.status_code, (await post).status_code

    monkeypatch.setattr(Handle, "signal", hang)
    assert asyncio.run(asyncio.wait_for(ask(), 90)) == (200, 200)


def test_it_is_the_log_of_the_app_that_is_asked_whichever_is_current(client, caplog):
    with caplog.at_level(logging.WARNING):
        client.post(url_of())
    assert "saga order-81: a link to approval, by None: not known:" in caplog.text
    assert "127.0.0.1:1" in caplog.text


def test_neither_key_nor_token_is_logged(client, caplog):
    url = url_of()
    with caplog.at_level(logging.DEBUG):
        client.post(url)
    assert KEY not in caplog.text
    said = [each.getMessage() for each in caplog.records if each.name.startswith("amends")]
    assert not [each for each in said if url.rpartition("/")[2] in each]


def test_the_key_is_in_no_repr(client, celery):
    assert KEY not in f"{client.app!r} {celery.conf.humanize(with_defaults=False)}"


# Without requests


def asked(app, scope, *messages):
    """Return what the application sends for a scope."""
    sent, given = [], list(messages)

    async def receive():
        return given.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def test_the_server_is_told_that_there_is_nothing_to_begin_or_end(client):
    sent = asked(
        client.app,
        {"type": "lifespan"},
        {"type": "lifespan.startup"},
        {"type": "lifespan.shutdown"},
    )
    assert sent == [{"type": "lifespan.startup.complete"}, {"type": "lifespan.shutdown.complete"}]


def test_a_websocket_is_closed_before_it_is_accepted(client):
    assert asked(client.app, {"type": "websocket", "path": "/"})[0]["type"] == "websocket.close"


def test_another_scope_is_refused(client):
    with pytest.raises(ValueError, match="no scope of type 'mail'"):
        asked(client.app, {"type": "mail"})


def test_a_client_that_goes_away_before_its_request_is_whole_gives_no_signal(client):
    scope = {"type": "http", "method": "POST", "path": f"/{link_of().token(KEY)}", "headers": []}
    part = {"type": "http.request", "body": b"", "more_body": True}
    sent = asked(client.app, scope, part, {"type": "http.disconnect"})
    assert sent[0]["status"] == 400


def test_without_a_key_there_is_no_application():
    app = Celery("keyless", broker="memory://", set_as_current=False)
    app.conf.amends_backend = NOWHERE
    with pytest.raises(
        ConfigurationError, match="amends_http_key is not set in Celery's configuration"
    ):
        http_app(app)
