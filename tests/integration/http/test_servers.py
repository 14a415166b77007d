"""Links under a real server, mounted in each way, and in a browser."""

import shutil
import socket
import threading

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import sync_playwright
from starlette.applications import Starlette
from starlette.routing import Mount

from amends.http import http_app
from tests.support.eventually import eventually
from tests.support.sagas.mailed import ASKED, begin

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.usefixtures("swept")


def in_fastapi(links):
    app = FastAPI()
    app.mount("/links", links)
    return app


MOUNTED = {
    "alone": lambda links: links,
    "starlette": lambda links: Starlette(routes=[Mount("/links", app=links)]),
    "fastapi": in_fastapi,
}


@pytest.fixture(scope="module", params=MOUNTED)
def server(request, app, client):
    """Run the application under a real server. Returns its URL."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            MOUNTED[request.param](http_app(app)), lifespan="on", log_level="warning"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        eventually(lambda: server.started)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(30)
    assert not thread.is_alive()


def test_under_a_server_a_click_is_a_click(work, saga_id, server):
    handle, (url, _) = begin(ASKED["chain"], saga_id)
    here = url.replace("https://shop.example", server)
    with httpx.Client() as browser:
        assert "<button>" in browser.get(here).text
        assert browser.head(here).status_code == 200
        assert "Your answer was taken." in browser.post(here).text
        assert browser.post(here, content=b"x" * 1_000_000).status_code == 400
        assert browser.get(f"{here}x").status_code == 404
    handle.wait(timeout=60)
    assert handle.status == "completed"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium")
def test_a_person_with_a_telephone_confirms(work, saga_id, server):
    handle, (url, _) = begin(ASKED["chain"], saga_id)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page(viewport={"width": 360, "height": 640}, java_script_enabled=False)
        refused = []
        page.on("console", lambda message: refused.append(message.text))
        page.goto(url.replace("https://shop.example", server))
        card = page.locator("main").bounding_box()
        assert 300 < card["width"] < 360  # the style is allowed, and fits
        page.get_by_role("button", name="Confirm").click()
        page.get_by_text("Your answer was taken.").wait_for()
        page.reload()  # which gives the same answer, as a second click does
        page.get_by_text("Your answer was taken.").wait_for()
        browser.close()
    assert [each for each in refused if "favicon" not in each] == []
    handle.wait(timeout=60)
    assert handle.status == "completed"
