"""The application of links for the app of these tests."""

import pytest

from tests.support.link_client import KEY, LinkClient


@pytest.fixture(scope="module", autouse=True)
def client(app):
    app.conf.update(amends_http_url="https://shop.example/links", amends_http_key=KEY)
    return LinkClient(app)
