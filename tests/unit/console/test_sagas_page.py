import re

import pytest

from amends.console.pages import sagas

IDS = re.compile(r'<th scope="row"><a class="id" href="/sagas/([^"]+)"')


def ids(page):
    return IDS.findall(page)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"e-1", "e-2", "w-1"}),
        ("?status=stuck", {"e-1", "e-2"}),
        ("?status=stuck,pending", {"e-1", "e-2", "w-1"}),
        ("?q=w-", {"w-1"}),
        ("?q=e-*", {"e-1", "e-2"}),
        ("?saga=errand&step=buy%3Aundo", {"e-1", "e-2"}),
        ("?outcome=not_delivered", {"e-1", "e-2"}),
        ("?paused=yes", set()),
        ("?older_than=1h", set()),
    ],
)
def test_the_url_is_the_filter(as_role, stuck, waiting, query, found):
    stuck("e-1", "e-2")
    waiting("w-1")
    assert set(ids(as_role("viewer").get(f"/sagas{query}").text)) == found


def test_an_id_leads_to_its_saga(as_role, stuck):
    stuck("e-1", "e-12")
    assert as_role("viewer").get("/sagas?q=e-1").url.path == "/sagas/e-1"


@pytest.mark.parametrize("query", ["status=bad", "older_than=x", "after=x", "q=no%20name%3Dx"])
def test_a_url_that_asks_for_what_cannot_be_is_400_and_says_why(as_role, query):
    answer = as_role("viewer").get(f"/sagas?{query}")
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)


def test_pages_follow_each_other_by_cursors_and_show_each_saga_once(as_role, waiting, monkeypatch):
    monkeypatch.setattr(sagas, "PAGE", 4)
    started = {each.id for each in waiting(*(f"w-{n}" for n in range(10)))}
    client, url, seen = as_role("viewer"), "/sagas?order=oldest", []
    while url:
        page = client.get(url).text
        seen += ids(page)
        following = re.search(r'rel="next" class="button" href="([^"]+)"', page)
        url = following and following[1].replace("&amp;", "&")
    assert sorted(seen) == sorted(started)


def test_an_empty_log_is_no_all_clear(as_role):
    assert "Is amends_backend the right one?" in as_role("viewer").get("/sagas").text
