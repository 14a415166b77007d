import re

import pytest

from amends.console.pages import acts


def rows(page):
    return re.findall(r'<tr><th scope="row">[^<]*</th><td>([^<]*)</td><td>([^<]*)</td>', page)


@pytest.fixture
def done(stuck, waiting):
    (first,) = stuck("e-1")
    (second,) = waiting("w-1")
    first.retry(by="ada", why="the shop is open")
    second.pause(by="eve", why="asking <b>the customer</b>")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [("eve", "pause"), ("ada", "retry")]),
        ("?by=ada", [("ada", "retry")]),
        ("?act=pause", [("eve", "pause")]),
        ("?saga_id=e-1", [("ada", "retry")]),
        ("?saga=errand&since=1h", [("eve", "pause"), ("ada", "retry")]),
        ("?saga=other", []),
    ],
)
def test_who_did_what_is_listed_by_the_filter_of_the_url(as_role, done, query, found):
    assert rows(as_role("viewer").get(f"/acts{query}").text) == found


def test_reasons_are_text_and_sagas_are_links(as_role, done):
    page = as_role("viewer").get("/acts").text
    assert "asking &lt;b&gt;the customer" in page
    assert 'href="/sagas/w-1"' in page


def test_pages_of_acts_follow_each_other(as_role, done, monkeypatch):
    monkeypatch.setattr(acts, "_SHOWN", 1)
    client = as_role("viewer")
    page = client.get("/acts").text
    following = re.search(r'rel="next" class="button" href="([^"]+)"', page)[1]
    assert rows(page) + rows(client.get(following.replace("&amp;", "&")).text) == [
        ("eve", "pause"),
        ("ada", "retry"),
    ]


@pytest.mark.parametrize("query", ["since=x", "after=x"])
def test_a_url_that_asks_for_what_cannot_be_is_400(as_role, query):
    assert as_role("viewer").get(f"/acts?{query}").status_code == 400
