"""Flower's pages in a Chromium: sagas as rows of their own, their steps as children, and its buttons.

``SCREENSHOTS=docs python -m pytest tests/acceptance/test_flower_page.py`` takes the pictures of the docs.
"""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Error, expect, sync_playwright

from tests.support.eventually import eventually

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SCREENSHOTS = os.environ.get("SCREENSHOTS")
PATIENCE = 30_000  # ms

pytestmark = [
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"
    ),
    pytest.mark.parametrize("system", ["redis"], indirect=True),
]


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, system):
    user, password = system.login
    page = browser.new_page(
        base_url=system.urls["FLOWER_URL"],
        viewport={"width": 1400, "height": 900},
        http_credentials={"username": user, "password": password},
    )
    page.set_default_timeout(PATIENCE)
    page.goto(
        "/"
    )  # where a browser asks for the login, and sends it to every path below from then on
    yield page
    page.close()


@pytest.fixture
def shoot():
    """Take a picture of a page, where pictures are wanted."""

    def take(page, name):
        if SCREENSHOTS:
            page.locator("section").first.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")

    return take


def wait_for(handle, holds):
    eventually(lambda: holds(handle.snapshot()))


def expect_after_reloads(page, locator):
    """Load a page, which does not follow what happens, until it shows something."""
    until = time.monotonic() + 30
    while not locator.is_visible():
        assert time.monotonic() < until, page.inner_text("body")
        page.reload()
        with suppress(Error):
            locator.wait_for(timeout=500)


def row_of(page, order_id, state):
    return page.locator(f"tr#{order_id}").filter(has_text="saga.order").filter(has_text=state)


def stuck_order(system, retrying, order_id):
    """Leave an order stuck: its address is bad, and its refund fails."""
    retrying(compensation={"max_attempts": 1})
    with system.unconsumed("shipping"):
        handle = system.start(order_id=order_id, shipping_address="1 Nowhere Road")
        wait_for(handle, lambda seen: seen.steps["process_payment"].state == "done")
        system.fault("payments.primary", down=True)
    wait_for(handle, lambda seen: seen.status == "stuck")
    system.fault("payments.primary")
    return handle


def test_each_order_is_a_row_in_its_state_and_its_steps_are_its_children(
    system, page, retrying, shoot
):
    system.run(order_id="order-1047")
    stuck = stuck_order(system, retrying, "order-1048")
    with system.unconsumed("compensations"):
        back = system.start(order_id="order-1049", shipping_address="1 Nowhere Road")
        wait_for(back, lambda seen: seen.status == "compensating")
        page.goto("/tasks?name=saga.order")
        for order_id, state in [
            ("order-1047", "SUCCESS"),
            ("order-1048", "FAILURE"),
            ("order-1049", "COMPENSATING"),
        ]:
            expect_after_reloads(page, row_of(page, order_id, state))
        page.get_by_role("searchbox").fill("order-1048 OR name:saga.order")
        expect(page.locator("tr[id^='order-1048.']").first).to_be_visible()
        shoot(page, "flower-tasks")
    assert back.wait(60).outcome == "shipment_failed"
    stuck.retry(by="ada", why="the bank is back")
    assert stuck.wait(60).outcome == "shipment_failed"
    page.goto("/tasks?name=saga.order")
    for order_id in ("order-1048", "order-1049"):
        expect_after_reloads(page, row_of(page, order_id, "COMPENSATED"))


def test_the_page_of_a_saga_leads_to_its_steps_and_theirs_back_to_it(system, page, shoot):
    handle, _ = system.run(order_id="order-1050")
    page.goto("/task/order-1050")
    step = page.get_by_title("order-1050.3.process_payment")
    expect_after_reloads(page, step)
    shoot(page, "flower-saga")
    step.click()
    expect(page.locator(".task-name-value")).to_have_text("tasks.payment.process_payment")
    page.get_by_title("order-1050", exact=True).first.click()
    expect(page.locator(".task-name-value")).to_have_text("saga.order")
    assert handle.status == "completed"


def test_the_button_on_a_step_that_runs_costs_the_order_nothing(system, page):
    system.fault("payments.primary", latency=20.0)
    handle = system.start(order_id="order-1051")
    wait_for(handle, lambda seen: seen.steps["process_payment"].state == "running")
    page.goto("/task/order-1051.3.process_payment")
    button = page.get_by_role("button", name="Terminate")
    expect_after_reloads(page, button)
    button.click()
    expect(page.get_by_text("Revoked 'order-1051.3.process_payment'")).to_be_visible()
    system.fault("payments.primary")
    assert handle.wait(60).outcome == "completed"
    system.assert_in_force(handle.id)


def test_the_button_on_a_saga_cancels_it(system, page):
    with system.unconsumed("shipping"):
        handle = system.start(order_id="order-1052")
        wait_for(handle, lambda seen: seen.steps["process_payment"].state == "done")
        page.goto("/task/order-1052")
        button = page.get_by_role("button", name="Terminate")
        expect_after_reloads(page, button)
        button.click()
        assert handle.wait(60).outcome == "cancelled"
    system.assert_nothing_in_force(handle.id)
