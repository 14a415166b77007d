"""Thousands of stuck sagas, from *Needs a person* to all repaired in a Chromium: stopped on the way, and gone on with."""

import re
import shutil
import time

import pytest
from playwright.sync_api import expect, sync_playwright

from amends.backend.client import client_of
from amends.definition.states import SagaStatus
from amends.log.saga_log import log_of
from tests.support.console import PASSWORD, users_file
from tests.support.engine_saga import job_saga
from tests.support.served_console import served
from tests.support.stuck_sagas import StuckSagas

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CAUSES = {
    "httpx.ConnectTimeout: order {} was not answered in 30.{}s": 6,
    "httpx.RemoteProtocolError: Server disconnected": 3,
    "KeyError: 'sku'": 1,
}
STUCK = 5_000
OTHERS = 0

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]


@pytest.fixture
def stuck(app):
    client = client_of(app.conf.amends_backend)
    client.flushdb()
    sagas = StuckSagas(log_of(app), job_saga.itinerary, "a")
    sagas.complete([f"done-{n}" for n in range(OTHERS)])
    errors = [text for text, share in CAUSES.items() for _ in range(share)]
    sagas.be_stuck({f"o-{n}": errors[n % 10].format(n, n % 7) for n in range(STUCK)})
    yield sagas
    client.flushdb()


@pytest.fixture
def page(app, tmp_path):
    app.conf.amends_console = {"users": str(users_file(tmp_path))}
    with served(app) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_context(base_url=url, java_script_enabled=False).new_page()
        page.set_default_timeout(60_000)
        page.goto("/")
        page.get_by_label("Login").fill("admin")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        yield page
        browser.close()


def groups(page):
    """Return how many sagas each group of *Needs a person* has; its headline says the sum."""
    page.goto("/")
    if (everything := page.get_by_role("link", name="Read all")).is_visible():
        everything.click()
    headline = page.get_by_role("heading", level=1).inner_text()
    counts = [
        int(row.get_by_role("rowheader").first.inner_text().replace(",", ""))
        for row in page.get_by_role("row").filter(has_text="Retry all").all()
    ]
    if counts:
        assert headline.startswith(f"{sum(counts):,} saga")
    return counts


def test_from_needs_a_person_to_all_repaired(page, stuck, record_property):
    began = time.monotonic()
    assert groups(page) == [3_000, 1_500, 500]

    page.get_by_role("link", name="Retry all").first.click()
    page.get_by_label("Why?").fill("the shop is back")
    page.get_by_label("Sagas a second").fill("600")
    page.get_by_role("button", name="Retry 3,000 sagas").click()
    while stuck.count(SagaStatus.STUCK) > STUCK - 1_000:
        time.sleep(0.05)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("stopped")).to_be_visible()
    done = STUCK - stuck.count(SagaStatus.STUCK)
    assert 1_000 <= done < 3_000
    run = page.url
    assert sorted(groups(page)) == sorted([3_000 - done, 1_500, 500])

    page.goto(run)
    page.get_by_role("button", name="Go on").click()
    ended(page)
    assert groups(page) == [1_500, 500]

    for count in (1_500, 500):
        page.goto("/")
        page.get_by_role("link", name="Retry all").first.click()
        page.get_by_label("Why?").fill("the shop is back")
        page.get_by_role("button", name=f"Retry {count:,} sagas").click()
        ended(page)
    assert groups(page) == []
    record_property("seconds", time.monotonic() - began)
    print(f"{time.monotonic() - began:.1f} s from the page to all repaired")  # noqa: T201
    assert stuck.count(SagaStatus.STUCK) == 0
    assert {stuck.names(f"o-{n}").count("saga.retried") for n in range(0, STUCK, 50)} == {1}


def ended(page):
    while not page.get_by_text(re.compile("Done on all of them")).is_visible():
        time.sleep(0.2)
        page.reload()
