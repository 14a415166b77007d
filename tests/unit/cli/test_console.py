"""The commands of the console: its server, and the lines of its file of users."""

import importlib
import socket
import threading

import httpx
import pytest

from amends.console import server
from amends.console.access.users import read_users
from tests.support.console import users_file
from tests.support.eventually import eventually


def test_a_line_of_the_users_is_printed_and_the_password_is_not(run):
    shown = run(
        "console",
        "password",
        "--login",
        "ada",
        "--role",
        "support",
        input="a long one\na long one\n",
    )
    assert shown.exit_code == 0
    assert "a long one" not in shown.stdout
    (user,) = read_users(shown.stdout, "stdout").values()
    assert (user.person.login, user.person.role) == ("ada", "support")


def test_a_password_that_is_too_short_is_a_wrong_usage(run):
    shown = run(
        "console", "password", "--login", "ada", "--role", "support", input="short\nshort\n"
    )
    assert (shown.exit_code, "8 are needed" in shown.stderr) == (2, True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7"])  # noqa: S104 - that it does not listen there
def test_it_refuses_to_start_open_on_anything_but_a_loopback(run, host):
    shown = run("console", "--host", host, "--port", "0")
    assert (shown.exit_code, "nobody signs in" in shown.stderr) == (5, True)


def test_without_its_extra_it_says_what_to_install(run, monkeypatch):
    load = importlib.import_module

    def without_extra(name):
        if name == "amends.console.server":
            raise ModuleNotFoundError("no module", name="starlette_admin")
        return load(name)

    monkeypatch.setattr(importlib, "import_module", without_extra)
    shown = run("console")
    assert (shown.exit_code, "amends[console]" in shown.stderr) == (5, True)


def test_an_address_that_is_taken_is_said(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        shown = run("console", "--port", str(taken.getsockname()[1]))
    assert (shown.exit_code, "cannot listen" in shown.stderr) == (5, True)


def test_it_serves_with_a_sign_in(app, tmp_path):
    app.conf.amends_console = {"users": str(users_file(tmp_path))}
    told = []
    how = {"host": "127.0.0.1", "port": 0, "proxies": (), "told": told.append}
    threading.Thread(target=server.serve, args=(app,), kwargs=how, daemon=True).start()
    url = eventually(lambda: told and told[0].rpartition(" ")[2])
    answer = httpx.get(f"{url}/sagas", follow_redirects=True)
    assert (answer.status_code, "Password" in answer.text) == (200, True)
    assert "server" not in answer.headers
