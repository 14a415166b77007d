"""A person opens a link and confirms: on real workers, chain and inline."""

import threading

import pytest

from tests.support.link_client import url_of
from tests.support.link_race import use_at_once
from tests.support.sagas.mailed import ASKED, BESIDE, LATER, MAILED, VOTED, begin
from tests.support.sagas.shapes import Order
from tests.support.sagas.wide import DISPATCHES

pytestmark = pytest.mark.usefixtures("swept")


@pytest.fixture(params=DISPATCHES)
def dispatch(request):
    return request.param


def signals_of(handle):
    return [event for event in handle.history() if event.name == "step.signalled"]


def test_a_click_lets_the_saga_go_on_and_a_second_one_has_the_same_answer(
    work, saga_id, dispatch, client
):
    handle, (url, _) = begin(ASKED[dispatch], saga_id)
    first = client.post(url)
    assert (first.status_code, "Your answer was taken." in first.text) == (200, True)
    handle.wait(timeout=60)
    assert (handle.status, work.records(saga_id)) == ("completed", ["mail", "b"])
    assert client.post(url).text == first.text
    (event,) = signals_of(handle)
    assert event.details["by"] == saga_id[:4]


def test_looking_changes_nothing(work, saga_id, dispatch, client):
    handle, (url, _) = begin(ASKED[dispatch], saga_id)
    before = handle.history()
    for _ in range(3):
        assert client.get(url).status_code == 200
        assert client.ask("HEAD", url).status_code == 200
    assert handle.history() == before
    handle.cancel()


def test_the_other_link_is_refused_then(work, saga_id, dispatch, client):
    goes_on = threading.Event()
    work.script(f"{saga_id}:b", lambda _: goes_on.wait(60))
    handle, (url, other) = begin(ASKED[dispatch], saga_id)
    assert client.post(other, json=True).json() == {"signal": "taken"}
    answer = client.post(url, json=True)
    goes_on.set()
    assert (answer.status_code, answer.json()) == (409, {"error": "approval is over: done"})
    handle.wait(timeout=60)
    answer = client.post(url)
    assert (answer.status_code, "This was answered before, or it is over." in answer.text) == (
        409,
        True,
    )


def test_a_click_that_is_early_is_kept(work, saga_id, dispatch, client):
    seen = []

    def click(_):
        seen.append(client.post(MAILED[saga_id][0], json=True).json())

    work.script(f"{saga_id}:mail", click)
    handle = LATER[dispatch].start(Order(job_id=saga_id), saga_id=saga_id)
    handle.wait(timeout=60)
    assert seen == [{"signal": "kept"}]
    assert (handle.status, work.records(saga_id)) == ("completed", ["mail", "b"])


def test_the_links_of_a_repeated_attempt_are_the_same_signals(work, saga_id, dispatch, client):
    """Both mails of it arrive, and two signals are wanted: one person cannot give both."""

    def fail(_):
        raise OSError("its answer is lost")

    work.script(f"{saga_id}:mail", fail)
    handle, urls = begin(VOTED[dispatch], saga_id)
    assert len(urls) == 4
    assert client.post(urls[0], json=True).json() == {"signal": "counted"}
    assert client.post(urls[2], json=True).json() == {"signal": "counted"}
    assert client.post(urls[1], json=True).status_code == 409
    assert len(signals_of(handle)) == 1
    handle.cancel()


def test_a_branch_goes_on_by_a_link(work, saga_id, dispatch, client):
    handle, (url, _) = begin(BESIDE[dispatch], saga_id)
    assert client.post(url, json=True).json() == {"signal": "taken"}
    handle.wait(timeout=60)
    assert handle.status == "completed"


def test_a_saga_that_is_gone_is_told_as_over(work, saga_id, dispatch, client, log):
    handle, (url, _) = begin(ASKED[dispatch], saga_id)
    handle.cancel()
    handle.wait(timeout=60)
    assert client.post(url, json=True).status_code == 409
    log.maintenance.remove_sagas([saga_id], kept_for=0.0)
    assert client.post(url, json=True).status_code == 410


def test_a_link_that_older_code_made_is_refused_and_the_saga_waits_on(
    work, saga_id, dispatch, client
):
    handle, _ = begin(ASKED[dispatch], saga_id)
    old = url_of(saga=ASKED[dispatch].name, saga_id=saga_id, value={"granted": "perhaps"})
    answer = client.post(old, json=True)
    assert (answer.status_code, answer.json()["error"][:17]) == (409, "the link is older")
    assert signals_of(handle) == []
    handle.cancel()


def test_a_process_without_the_sagas_definition_answers_its_links(
    work, saga_id, dispatch, client, monkeypatch
):
    handle, (url, _) = begin(ASKED[dispatch], saga_id)
    for module in ("amends.http.application", "amends.saga.signals"):
        monkeypatch.setattr(f"{module}.known_models", lambda _: {})
    assert client.post(url, json=True).json() == {"signal": "taken"}
    handle.wait(timeout=60)
    assert handle.status == "completed"


def test_one_link_in_ten_processes_is_one_signal(work, saga_id, app):
    handle, (url, _) = begin(VOTED["chain"], saga_id)
    answers = use_at_once(app, url, processes=10)
    assert answers == [(200, {"signal": "counted"})] * 10
    assert len(signals_of(handle)) == 1
    assert handle.status == "running"
    handle.cancel()
