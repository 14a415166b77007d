"""The console in a Chromium, on a saga log in Redis with a worker: each page, role and act.

``SCREENSHOTS=docs python -m pytest tests/integration/console/test_browser.py`` takes the pictures of the docs.
"""

import os
import re
import shutil
import uuid
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

import amends
from amends import CircuitBreaker, Refused
from tests.support.console import PASSWORD, ROLES, users_file
from tests.support.engine_saga import Job, job_saga, without_effect
from tests.support.eventually import eventually
from tests.support.served_console import served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENSHOTS = os.environ.get("SCREENSHOTS")

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"
    ),
    pytest.mark.xdist_group("console_browser"),
]


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def url(app, worker, tmp_path_factory):
    users = users_file(tmp_path_factory.mktemp("console"))
    app.conf.amends_console = {
        "users": str(users),
        "links": {"Flower": "http://flower.test/task/{saga_id}"},
    }
    with served(app) as url:
        yield url


@pytest.fixture
def visit(browser, url):
    """Give `visit("operator")`: a page of a browser without scripts in which somebody of this role is signed in."""
    contexts, elsewhere = [], []

    def enter(role, **how):
        how = {"java_script_enabled": False, "viewport": {"width": 1280, "height": 860}, **how}
        context = browser.new_context(base_url=url, **how)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on(
            "request",
            lambda request: (
                elsewhere.append(request.url) if not request.url.startswith(url) else None
            ),
        )
        page.on(
            "console",
            lambda message: elsewhere.append(message.text) if message.type == "error" else None,
        )
        page.goto("/sagas")
        page.get_by_label("Login").fill(role)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        return page

    yield enter
    for context in contexts:
        context.close()
    assert elsewhere == []


@pytest.fixture
def stuck(work):
    """Give `stuck(3)`: ids of so many sagas whose undo failed for good, with this error."""

    def stand(count, error="the bank is away"):
        ids = [f"job-{uuid.uuid4().hex[:8]}" for _ in range(count)]
        for saga_id in ids:
            work.script(f"{saga_id}:c", without_effect(Refused("nobody delivers to Nowhere")))
            work.script(f"{saga_id}:a:undo", *[without_effect(ConnectionError(error))] * 3)
            job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
        for saga_id in ids:
            eventually(lambda saga_id=saga_id: amends.get(saga_id).status == "stuck")
        return ids

    return stand


def shoot(page, name):
    if SCREENSHOTS:
        height = 620 if name == "console-saga" else 330
        clip = {"x": 0, "y": 0, "width": 1280, "height": height}
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", clip=clip)


def test_from_needs_a_person_to_repaired_in_four_clicks(visit, stuck):
    ids = stuck(3)
    (other,) = stuck(1, "account 4711 is closed")
    page = visit("operator")
    page.goto("/")
    shoot(page, "console-needs")
    page.get_by_role("link", name="Retry all").first.click()  # 1
    page.get_by_label("Why?").fill("the bank is back")
    page.get_by_role("button", name=re.compile("^Retry")).click()  # 2
    expect(page.get_by_role("heading", level=1)).to_contain_text("Retry many")
    for saga_id in ids:
        handle = amends.get(saga_id)
        eventually(lambda handle=handle: handle.status == "compensated")
        (act,) = [each for each in handle.history() if each.name == "saga.retried"]
        assert act.details == {"by": "operator", "why": "the bank is back"}
    page.reload()
    expect(page.get_by_text("Done on all of them.")).to_be_visible()
    assert amends.get(other).status == "stuck"
    amends.get(other).retry()


def test_one_saga_is_repaired_on_its_page(visit, stuck):
    (saga_id,) = stuck(1)
    page = visit("operator")
    page.goto(f"/sagas/{saga_id}")
    expect(page.get_by_text("It is stuck, and waits for an operator.")).to_be_visible()
    expect(page.get_by_text("3 attempts, the same error")).to_be_visible()
    expect(page.locator("svg.times rect").first).to_be_visible()
    expect(page.get_by_role("link", name="Flower")).to_have_attribute(
        "href", f"http://flower.test/task/{saga_id}"
    )
    shoot(page, "console-saga")
    page.locator("details[open]").get_by_label("Why?").fill("the bank is back")
    page.locator("details[open]").get_by_role("button").click()
    expect(page.get_by_text("Retry: done.")).to_be_visible()
    eventually(lambda: amends.get(saga_id).status == "compensated")


def test_a_saga_is_skipped_by_hand(visit, stuck):
    (saga_id,) = stuck(1)
    page = visit("operator")
    page.goto(f"/sagas/{saga_id}")
    page.get_by_text("Skip a").first.click()
    form = page.locator("details[open]").filter(has_text="Skip a")
    form.get_by_label("Why?").fill("undone at the bank's counter")
    form.get_by_role("button").click()
    expect(page.get_by_text("Skip: done.")).to_be_visible()
    eventually(lambda: amends.get(saga_id).status == "compensated")


@pytest.fixture
def held(work):
    """Give a saga that waits for its retry, and so can be paused and cancelled."""
    saga_id = f"held-{uuid.uuid4().hex[:8]}"
    work.script(f"{saga_id}:b", without_effect(amends.NotDone("later", retry_after=600.0)))
    job_saga.start(Job(job_id=saga_id), saga_id=saga_id)
    eventually(lambda: "step.retrying" in [each.name for each in amends.get(saga_id).history()])
    return saga_id


def test_support_pauses_resumes_and_cancels(visit, held):
    page = visit("support")
    for act, after in (("Pause", "paused"), ("Resume", "running"), ("Cancel", None)):
        page.goto(f"/sagas/{held}")
        page.locator("summary").filter(has_text=re.compile(f"^{act}")).click()
        form = page.locator("details[open]").filter(has_text=act)
        form.get_by_label("Why?").fill("the customer called")
        form.get_by_role("button").click()
        expect(page.get_by_text(f"{act}: done.")).to_be_visible()
        if after:
            expect(page.locator("h1")).to_contain_text(after)
    eventually(lambda: amends.get(held).status == "compensated")


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_what_it_may(visit, held, role):
    page = visit(role)
    page.goto(f"/sagas/{held}")
    acts = {each.inner_text().split()[0] for each in page.locator(".acts summary b").all()}
    assert (
        acts
        == {
            "viewer": set(),
            "support": {"Cancel", "Pause"},
            "operator": {"Retry", "Cancel", "Pause"},
            "admin": {"Retry", "Cancel", "Pause"},
        }[role]
    )
    assert page.get_by_role("heading", name="Input and outputs").is_visible() is (role != "viewer")


def test_chosen_sagas_are_acted_on_from_the_list(visit, stuck):
    first, second = stuck(2)
    page = visit("operator")
    page.goto("/sagas?status=stuck")
    page.get_by_label(first).check()
    page.get_by_role("button", name="Retry ...").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Retry 1 saga?")
    page.get_by_label("Why?").fill("this one alone")
    page.get_by_role("button", name="Retry 1 saga").click()
    eventually(lambda: amends.get(first).status == "compensated")
    assert amends.get(second).status == "stuck"
    amends.get(second).retry()


@pytest.fixture
def circuit():
    return CircuitBreaker(f"bank-{uuid.uuid4().hex[:6]}", failure_on=(ConnectionError,))


def test_an_administrator_opens_a_circuit_and_clears_it(visit, circuit):
    page = visit("admin")
    page.goto("/circuits")
    for act, state in (("open", "forced open"), ("clear", "closed")):
        card = page.locator("section").filter(has_text=circuit.name)
        card.locator("summary").filter(has=page.get_by_text(act.capitalize(), exact=True)).click()
        form = card.locator("details[open]")
        form.get_by_label("Why?").fill("the bank asks us to stop")
        form.get_by_role("button").click()
        expect(page.locator("section").filter(has_text=circuit.name).locator("h2")).to_contain_text(
            state
        )
    assert [each.by for each in circuit.history()] == ["admin", "admin"]


PAGES = (
    "/",
    "/sagas",
    "/bulk",
    "/bulk/new?act=retry&status=stuck",
    "/circuits",
    "/workers",
    "/workers/doctor",
    "/acts",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, stuck, circuit, scheme):
    (saga_id,) = stuck(1)
    page = visit("admin", java_script_enabled=True, color_scheme=scheme)
    found = {}
    for path in (*PAGES, f"/sagas/{saga_id}"):
        page.goto(path)
        violations = Axe().run(page).response["violations"]
        serious = [each for each in violations if each["impact"] in ("serious", "critical")]
        if serious:
            found[path] = [
                (each["id"], [node["html"] for node in each["nodes"]][:3]) for each in serious
            ]
    page.context.clear_cookies()
    page.goto("/login")
    assert (found, Axe().run(page).violations_count) == ({}, 0)


def test_the_pages_fit_a_telephone(visit, stuck):
    (saga_id,) = stuck(1)
    page = visit("operator", java_script_enabled=True, viewport={"width": 390, "height": 800})
    for path in ("/", "/sagas", f"/sagas/{saga_id}"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_files_of_the_engine_are_all_that_a_browser_asks_for(visit):
    page = visit("viewer", java_script_enabled=True)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/")
    assert {re.sub(r"^https?://[^/]+", "", each) for each in asked} <= {
        "/",
        "/static/console.css",
        "/static/icon.svg",
    }
