import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from amends.console import application
from amends.console.access import session
from amends.console.access.users import user_line
from amends.errors import ConfigurationError
from tests.support.console import HASH, sign_in, visiting


def test_who_is_not_signed_in_is_led_to_the_login_from_each_page(app):
    with visiting(app) as client:
        client.follow_redirects = False
        for path in ("/", "/sagas", "/sagas/e-1", "/circuits", "/workers", "/workers/doctor"):
            answer = client.get(path)
            assert (answer.status_code, "/login?next=" in answer.headers["location"]) == (303, True)


def test_a_login_with_its_password_signs_in_and_leads_to_the_page_that_was_asked_for(app):
    with visiting(app) as client:
        client.get("/sagas")
        assert "Needs a person" in sign_in(client, "viewer").text
        assert client.get("/sagas").url.path == "/sagas"


@pytest.mark.parametrize(("login", "password"), [("viewer", "wrong"), ("nobody", "correct horse")])
def test_another_password_and_an_unknown_login_get_one_answer(app, login, password):
    with visiting(app) as client:
        answer = sign_in(client, login, password)
        assert "do not go together" in answer.text
        assert client.get("/sagas").url.path == "/login"


def test_signing_out_ends_the_session(app, as_role):
    client = as_role("viewer")
    page = client.get("/sagas").text
    token = page.split('name="csrftoken" value="')[1].split('"')[0]
    client.post("/logout", data={"csrftoken": token})
    assert client.get("/sagas").url.path == "/login"


def test_a_session_ends_after_its_time_however_busy_it_was(app, as_role, monkeypatch):
    app.conf.amends_console = {**app.conf.amends_console, "session": 60.0}
    client = as_role("viewer")
    now = time.time()
    for later, path in ((30, "/sagas"), (59, "/sagas"), (62, "/login")):
        monkeypatch.setattr(
            session, "time", type("Clock", (), {"time": lambda later=later: now + later})
        )
        assert client.get("/sagas").url.path == path


def test_a_session_ends_with_the_password_or_the_role_it_began_with(app, as_role):
    client = as_role("admin")
    path = app.conf.amends_console["users"]
    assert client.get("/sagas").url.path == "/sagas"
    Path(path).write_text(f"admin:viewer:{HASH}\nada:admin:{HASH}\n", encoding="utf-8")
    assert client.get("/sagas").url.path == "/login"


def test_a_cookie_that_somebody_else_signed_is_nobodys(app, as_role):
    app.conf.amends_console = {**app.conf.amends_console, "key": "k" * 32}
    client = as_role("admin")
    kept = dict(client.cookies)
    app.conf.amends_console = {**app.conf.amends_console, "key": "l" * 32}
    with visiting(app) as other:
        other.cookies.update(kept)
        assert other.get("/sagas").url.path == "/login"


def test_without_a_sign_in_there_is_no_console_but_on_a_loopback(app):
    app.conf.amends_console = None
    with pytest.raises(ConfigurationError, match="nobody signs in"):
        application(app)
    application(app, open_on_loopback=True)


@pytest.mark.parametrize(
    ("client", "host", "headers", "status"),
    [
        ("127.0.0.1", "127.0.0.1:5557", {}, 200),
        ("127.0.0.1", "localhost", {}, 200),
        ("::1", "[::1]:5557", {}, 200),
        ("10.0.0.7", "127.0.0.1:5557", {}, 403),
        ("127.0.0.1", "evil.example", {}, 403),
        ("127.0.0.1", "localhost", {"X-Forwarded-For": "10.0.0.7"}, 403),
        ("127.0.0.1", "localhost", {"Forwarded": "for=10.0.0.7"}, 403),
    ],
)
def test_a_console_without_a_sign_in_answers_its_own_machine_alone(
    app, client, host, headers, status
):
    app.conf.amends_console = None
    site = application(app, open_on_loopback=True)
    with TestClient(site, base_url=f"http://{host}", client=(client, 5000)) as visitor:
        assert visitor.get("/sagas", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("console", "said"),
    [
        ({"user": "x"}, "did you mean 'users'"),
        ({"users": "/nowhere/users"}, "cannot be read"),
        ({"users": "env://NO_SUCH_VARIABLE"}, "is not set"),
        ({"users": "x", "oidc": {}}, "lacks options"),
        ({"oidc": {"client": 1}}, "has no option 'client'"),
        ({"key": "short"}, "32 or more characters"),
        ({"session": 0}, "not a number above 0"),
        ({"links": {"Flower": "javascript:alert(1)"}}, "no http URL"),
        ("users", "not a mapping"),
    ],
)
def test_an_option_that_is_wrong_is_refused_with_what_to_do(app, console, said):
    if isinstance(console, dict) and console.get("oidc") == {}:
        console = {"users": "x", "oidc": {"metadata_url": "https://x"}}
    app.conf.amends_console = console
    with pytest.raises(ConfigurationError, match=said):
        application(app, open_on_loopback=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ada:operatr:$argon2x", "did you mean 'operator'"),
        ("ada:operator:secret", "is not login:role:hash"),
        ("ada:viewer:$argon2x\nada:admin:$argon2x", "line 2 .* has a line before"),
        ("# nobody", "names nobody"),
    ],
)
def test_a_line_of_the_users_that_is_none_is_named_without_its_hash(app, tmp_path, text, said):
    (tmp_path / "users").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said) as raised:
        application(app)
    assert "secret" not in str(raised.value)


def test_a_line_is_made_that_signs_in(app, tmp_path):
    (tmp_path / "users").write_text(user_line("ada", "operator", "a long one"), encoding="utf-8")
    with visiting(app) as client:
        assert "operator" in sign_in(client, "ada", "a long one").text


@pytest.mark.parametrize(("login", "password"), [("a:b", "long enough"), ("ada", "short")])
def test_no_line_is_made_of_a_login_or_a_password_that_can_be_none(login, password):
    with pytest.raises(ValueError, match=r"characters"):
        user_line(login, "viewer", password)


def test_users_come_from_a_variable_too(app, monkeypatch):
    monkeypatch.setenv("CONSOLE_USERS", f"ada:viewer:{HASH} eve:admin:{HASH}")
    app.conf.amends_console = {"users": "env://CONSOLE_USERS"}
    with visiting(app) as client:
        assert "admin" in sign_in(client, "eve").text
