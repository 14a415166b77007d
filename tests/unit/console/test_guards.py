import re

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from amends.console import application
from amends.console.access.roles import RIGHTS, Right, Role
from tests.support.console import forms_of, token_of

ELSEWHERE = re.compile(r"https?://(?!www\.w3\.org/)")
PAGES = (
    "/",
    "/sagas",
    "/sagas/e-1",
    "/circuits",
    "/workers",
    "/workers/doctor",
    "/acts",
    "/bulk",
    "/bulk/new?act=retry&status=stuck",
)


def post(client, path, **form):
    token = token_of(client.get("/sagas/e-1").text)
    return client.post(path, data={"csrftoken": token, **form}, follow_redirects=False)


@pytest.mark.parametrize("path", [*PAGES, "/login", "/static/console.css", "/nowhere"])
def test_every_answer_names_no_other_host_and_forbids_all_but_its_own_files(as_role, stuck, path):
    stuck("e-1")
    answer = as_role("admin").get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert not ELSEWHERE.search(answer.text)
    assert not re.search(r"<script|\sstyle=|\son\w+=|javascript:", answer.text)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_pages_are_not_stored(as_role, stuck):
    stuck("e-1")
    assert as_role("viewer").get("/sagas/e-1").headers["cache-control"] == "no-store"


def test_an_act_without_its_token_is_refused(as_role, stuck):
    (handle,) = stuck("e-1")
    answer = as_role("admin").post("/sagas/e-1/act", data={"act": "retry", "why": "x"})
    assert (answer.status_code, handle.status) == (403, "stuck")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
    ],
)
def test_an_act_that_another_site_sent_is_refused_even_with_its_token(as_role, stuck, headers):
    (handle,) = stuck("e-1")
    client = as_role("admin")
    (action, form), *_ = forms_of(client.get("/sagas/e-1").text)
    answer = client.post(action, data={**form, "why": "x"}, headers=headers)
    assert (answer.status_code, handle.status) == (403, "stuck")


def test_a_form_that_is_too_long_is_refused_before_it_is_read(as_role, stuck):
    stuck("e-1")
    assert (
        post(as_role("admin"), "/sagas/e-1/act", act="retry", why="x" * 3_000_000).status_code
        == 413
    )


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("act", ["retry", "skip", "cancel", "pause", "resume", "signal"])
def test_a_role_may_do_what_it_gives_and_nothing_else_by_a_post_of_its_own_too(
    as_role, stuck, role, act
):
    (handle,) = stuck("e-1")
    before = len(handle.history())
    answer = post(as_role(role), "/sagas/e-1/act", act=act, why="x", act_id="a1", step="buy")
    assert answer.status_code == (303 if Right(act) in RIGHTS[role] else 403)
    if answer.status_code == 403:
        assert len(handle.history()) == before


@pytest.mark.parametrize("role", list(Role))
def test_circuits_are_an_administrators(as_role, stuck, role):
    stuck("e-1")
    answer = post(as_role(role), "/circuits/act", act="open", why="x", name="nothing")
    assert answer.status_code == (303 if role is Role.ADMIN else 403)


@pytest.mark.parametrize("role", list(Role))
def test_schedules_are_an_operators(as_role, stuck, role):
    stuck("e-1")
    answer = post(as_role(role), "/workers/schedule", act="pause", why="x", name="nightly")
    assert answer.status_code == (303 if role in (Role.OPERATOR, Role.ADMIN) else 403)


@pytest.mark.parametrize(
    "path", ["/errands/list", "/_api/errands/action?name=x", "/errands/create"]
)
def test_pages_that_starlette_admin_has_for_models_are_of_no_use(as_role, path):
    assert as_role("admin").get(path).status_code in (404, 405)


def test_the_console_is_mounted_at_any_path(app, stuck):
    stuck("e-1")
    host = Starlette(routes=[Mount("/ops/sagas", application(app))])
    with TestClient(host, base_url="http://console.test") as client:
        page = client.get("/ops/sagas/sagas/e-1").text
        form = {"username": "admin", "password": "correct horse", "csrftoken": token_of(page)}
        page = client.post("/ops/sagas/login?next=/ops/sagas/sagas/e-1", data=form).text
        links = re.findall(r'(?:href|action)="([^"#]+)"', page)
        assert links
        assert {each for each in links if not each.startswith("/ops/sagas/")} == set()
        assert client.get("/ops/sagas/static/console.css").status_code == 200


def test_sign_in_leads_to_no_other_host(app):
    with TestClient(application(app), base_url="http://console.test") as client:
        token = token_of(client.get("/login").text)
        form = {"username": "admin", "password": "correct horse", "csrftoken": token}
        answer = client.post("/login?next=//evil.example/", data=form, follow_redirects=False)
        assert answer.headers["location"].startswith("http://console.test/")


def test_a_log_that_is_away_is_said_with_503(app, as_role):
    client = as_role("viewer")
    app.conf.amends_backend = "redis://127.0.0.1:1/0"
    answer = client.get("/sagas")
    assert (answer.status_code, "log" in answer.text) == (503, True)
