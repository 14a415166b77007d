import re

import pytest

from tests.support.console import forms_of
from tests.unit.cli.errands import begin


def acts_of(page):
    return {form["act"]: (action, form) for action, form in forms_of(page)}


def do(client, saga_id, act, **given):
    action, form = acts_of(client.get(f"/sagas/{saga_id}").text)[act]
    return client.post(action, data={**form, "why": "the shop is open", **given})


def test_a_stuck_saga_is_told_of_in_plain_words(as_role, stuck):
    stuck("e-1")
    page = as_role("viewer").get("/sagas/e-1").text
    assert "It is stuck, and waits for an operator." in page
    assert "ConnectionError: the shop is closed" in page
    assert "nobody delivers to Nowhere" in page


@pytest.mark.parametrize(
    ("role", "acts"),
    [
        ("viewer", set()),
        ("support", set()),
        ("operator", {"retry", "skip"}),
        ("admin", {"retry", "skip"}),
    ],
)
def test_the_acts_of_a_stuck_saga_are_those_of_the_role(as_role, stuck, role, acts):
    stuck("e-1")
    assert set(acts_of(as_role(role).get("/sagas/e-1").text)) == acts


@pytest.mark.parametrize(
    ("role", "acts"),
    [("viewer", set()), ("support", {"cancel", "pause"}), ("operator", {"cancel", "pause"})],
)
def test_support_cancels_and_pauses(as_role, waiting, role, acts):
    waiting("e-1")
    assert set(acts_of(as_role(role).get("/sagas/e-1").text)) == acts


def test_an_act_is_written_with_the_login_and_the_reason(as_role, stuck):
    (handle,) = stuck("e-1")
    page = do(as_role("operator"), "e-1", "retry").text
    assert "Retry: done." in page
    (event,) = [each for each in handle.history() if each.name == "saga.retried"]
    assert event.details == {"by": "operator", "why": "the shop is open"}


def test_an_act_says_what_it_would_do_before(as_role, waiting):
    waiting("e-1")
    page = as_role("support").get("/sagas/e-1").text
    assert "Nothing was done that has an undo: the saga would end." in page


def test_a_form_that_is_sent_twice_is_one_act(as_role, stuck):
    (handle,) = stuck("e-1")
    client = as_role("operator")
    action, form = acts_of(client.get("/sagas/e-1").text)["retry"]
    for _ in range(2):
        assert "Retry: done." in client.post(action, data={**form, "why": "x"}).text
    assert [each.name for each in handle.history()].count("saga.retried") == 1


def test_an_act_on_a_saga_that_moved_since_the_page_is_refused(as_role, stuck):
    (handle,) = stuck("e-1")
    client = as_role("operator")
    action, form = acts_of(client.get("/sagas/e-1").text)["skip"]
    handle.retry(by="ada", why="before")
    page = client.post(action, data={**form, "why": "too late"}).text
    assert "Skip was refused, and nothing was done" in page


def test_an_act_without_a_reason_is_not_done(as_role, stuck):
    (handle,) = stuck("e-1")
    page = do(as_role("operator"), "e-1", "retry", why=" ").text
    assert ("say why" in page, handle.status) == (True, "stuck")


def test_data_that_is_no_json_is_said(as_role, stuck):
    stuck("e-1")
    assert "is no JSON" in do(as_role("operator"), "e-1", "skip", data="{").text


@pytest.mark.parametrize(
    ("role", "is_shown"), [("viewer", False), ("support", True), ("operator", True)]
)
def test_inputs_and_outputs_are_not_for_a_viewer(as_role, waiting, role, is_shown):
    waiting("e-1")
    page = as_role(role).get("/sagas/e-1").text
    assert ("1 Long Lane" in page) is is_shown


def test_what_a_saga_holds_is_text_on_the_page(as_role, waiting, app):
    app.set_current()
    begin("e-9", address="<img src=x onerror=alert(1)>")
    page = as_role("support").get("/sagas/e-9").text
    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_an_unknown_saga_is_404(as_role):
    answer = as_role("viewer").get("/sagas/nothing")
    assert (answer.status_code, "there is no saga" in answer.text) == (404, True)


def test_links_lead_to_flower_and_those_that_need_a_trace_are_left_out_without_one(
    app, as_role, waiting
):
    links = {
        "Flower": "http://flower.test/task/{saga_id}",
        "Trace": "http://traces.test/{trace_id}",
    }
    app.conf.amends_console = {**app.conf.amends_console, "links": links}
    waiting("e-1")
    page = as_role("viewer").get("/sagas/e-1").text
    assert re.findall(r'class="elsewhere" href="([^"]*)"', page) == ["http://flower.test/task/e-1"]


def test_the_time_line_has_a_bar_for_what_the_saga_is_at(as_role, stuck):
    stuck("e-1")
    page = as_role("viewer").get("/sagas/e-1").text
    assert "until now" in page
    assert re.search(r'<rect class="c-stuck" x="[\d.]+" y="\d+" width="[\d.]+"', page)
