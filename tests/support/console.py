"""The console in this process: its file of users, and clients of each role."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from celery import Celery
from starlette.testclient import TestClient

from amends.console import application

PASSWORD = "correct horse"  # noqa: S105 - of nobody
_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH = _QUICK.hash(PASSWORD)
ROLES = ("viewer", "support", "operator", "admin")
FORM = re.compile(r'<form[^>]*action="([^"]*)"[^>]*method="post">(.*?)</form>', re.DOTALL)
FIELD = re.compile(r'<(?:input|button)[^>]*name="([^"]*)"[^>]*value="([^"]*)"')


def users_file(directory: Path) -> Path:
    """Write a file with a person of each role, who is called as the role."""
    path = directory / "users"
    path.write_text("".join(f"{role}:{role}:{HASH}\n" for role in ROLES), encoding="utf-8")
    return path


@contextmanager
def visiting(app: Celery, role: str | None = None) -> Iterator[TestClient]:
    """Give a client of the console; with a role, one that is signed in."""
    with TestClient(application(app), base_url="http://console.test") as client:
        client.follow_redirects = True
        if role is not None:
            assert sign_in(client, role).status_code == 200
        yield client


def sign_in(client: TestClient, login: str, password: str = PASSWORD) -> Any:
    """Sign in, as the form does."""
    token = token_of(client.get("/login").text)
    form = {"username": login, "password": password, "csrftoken": token}
    return client.post("/login", data=form)


def token_of(page: str) -> str:
    """Return the CSRF token of a page's first form."""
    found = re.search(r'name="csrftoken" value="([^"]*)"', page)
    return unescape(found[1]) if found else ""


def forms_of(page: str) -> list[tuple[str, dict[str, str]]]:
    """Return the forms of a page that change something: where each leads, and its fields as they are filled."""
    return [
        (unescape(action), {name: unescape(value) for name, value in FIELD.findall(body)})
        for action, body in FORM.findall(page)
        if not action.endswith("/logout")
    ]
