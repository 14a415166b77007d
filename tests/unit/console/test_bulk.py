import re
import threading

import pytest

from amends.console.access import roles
from amends.console.bulk import runs
from amends.console.bulk.runs import BulkRuns, Plan, TooManyRuns
from amends.log.queries.acts import find_acts
from amends.operations import Operation, Query, QuerySource, TargetSource, new_act_id
from tests.support.console import forms_of
from tests.support.eventually import eventually

NEW = "/bulk/new?act=retry&status=stuck"


def begin(client, path=NEW, **given):
    """Confirm an act on many, and return the page of its run once it has ended."""
    ((action, form),) = forms_of(client.get(path).text)
    run = client.post(action, data={**form, "why": "the shop is open", **given})
    return eventually(
        lambda: page if "goes on</span>" not in (page := client.get(run.url).text) else None
    )


def test_a_cause_is_retried_as_a_whole_and_each_saga_says_who_and_why(as_role, stuck):
    handles = stuck("e-1", "e-2", "e-3")
    client = as_role("operator")
    page = client.get("/").text
    assert "3 sagas need a person" in page
    link = re.search(r'href="(/bulk/new[^"]*)"', page)[1].replace("&amp;", "&")
    assert "Done on all of them." in begin(client, link)
    for handle in handles:
        (event,) = [each for each in handle.history() if each.name == "saga.retried"]
        assert event.details == {"by": "operator", "why": "the shop is open"}
    assert "Needs a person" in client.get("/").text


def test_a_form_that_is_sent_twice_is_one_run(as_role, stuck):
    stuck("e-1")
    client = as_role("operator")
    ((action, form),) = forms_of(client.get(NEW).text)
    urls = {client.post(action, data={**form, "why": "x"}).url for _ in range(2)}
    assert len(urls) == 1


def test_an_operator_stops_at_the_bound_and_goes_on(as_role, stuck, monkeypatch):
    monkeypatch.setattr("amends.console.pages.bulk.BULK_BOUND", 2)
    handles = stuck("e-1", "e-2", "e-3")
    client = as_role("operator")
    assert "it stops there, and you go on" in client.get(NEW).text
    page = begin(client)
    assert ("stopped</span>" in page, sum(h.status == "stuck" for h in handles)) == (True, 1)
    (go_on,) = [form for form in forms_of(page) if form[0].endswith("/go-on")]
    run = client.post(go_on[0], data=go_on[1])
    page = eventually(
        lambda: page if "ended</span>" in (page := client.get(run.url).text) else None
    )
    assert "Done on all of them." in page
    assert [h.status for h in handles].count("stuck") == 0


def test_an_administrator_has_no_bound(as_role, stuck, monkeypatch):
    monkeypatch.setattr("amends.console.pages.bulk.BULK_BOUND", 2)
    stuck("e-1", "e-2", "e-3")
    assert "Done on all of them." in begin(as_role("admin"))
    assert roles.BULK_BOUND > 2


def test_chosen_sagas_are_acted_on_as_they_were_seen(as_role, stuck):
    first, second, third = stuck("e-1", "e-2", "e-3")
    client = as_role("operator")
    page = client.get("/sagas?status=stuck").text
    seen = dict(each.split(":") for each in re.findall(r'name="id" value="([^"]+)"', page))
    chosen = [f"e-1:{seen['e-1']}", f"e-2:{int(seen['e-2']) - 1}"]
    page = begin(client, f"/bulk/new?act=retry&id={'&id='.join(chosen)}", id=chosen)
    assert "refused" in page
    assert [each.status for each in (first, second, third)] == ["compensating", "stuck", "stuck"]


@pytest.mark.parametrize("role", ["viewer", "support"])
def test_acts_on_many_are_for_operators(as_role, stuck, role):
    (handle,) = stuck("e-1")
    client = as_role(role)
    token = forms_token(client)
    assert client.get(NEW).status_code == 403
    form = {
        "csrftoken": token,
        "act": "retry",
        "why": "x",
        "act_id": new_act_id(),
        "status": "stuck",
    }
    assert client.post("/bulk/start", data=form).status_code == 403
    for act in ("stop", "go-on"):
        assert client.post(f"/bulk/runs/x/{act}", data={"csrftoken": token}).status_code == 403
    assert handle.status == "stuck"
    assert "Retry all" not in client.get("/").text


def forms_token(client):
    return re.search(r'name="csrftoken" value="([^"]*)"', client.get("/sagas").text)[1]


@pytest.mark.parametrize("given", [{"why": " "}, {"act_id": "no id!"}, {"rate": "often"}])
def test_a_form_that_lacks_something_does_nothing(as_role, stuck, given):
    (handle,) = stuck("e-1")
    client = as_role("operator")
    ((action, form),) = forms_of(client.get(NEW).text)
    page = client.post(action, data={**form, "why": "x", **given}).text
    assert ("Nothing was done" in page, handle.status) == (True, "stuck")


@pytest.mark.parametrize("path", ["/bulk/new?act=skip", "/bulk/new?act=nothing"])
def test_there_are_four_acts_on_many(as_role, path):
    assert as_role("admin").get(path).status_code == 400


def test_a_run_that_nobody_knows_is_404(as_role):
    assert as_role("viewer").get("/bulk/runs/x").status_code == 404


def plan(app, gate):
    class Gated(TargetSource):
        def take(self, count):
            gate.wait(30)
            return super().take(count)

    operation = Operation(act="retry", by="ada", why="x")
    return Plan(operation=operation, source=lambda _: Gated([]), most=None, matched=0, filter={})


def test_two_runs_go_on_at_once_and_no_more(app):
    gate, kept = threading.Event(), BulkRuns(app)
    begun = [kept.begin(plan(app, gate)) for _ in range(runs.AT_ONCE)]
    with pytest.raises(TooManyRuns):
        kept.begin(plan(app, gate))
    gate.set()
    eventually(lambda: not any(each.is_running for each in begun))
    kept.begin(plan(app, gate))


def test_a_run_that_is_stopped_says_so_and_can_go_on(app, stuck):
    handles = stuck("e-1", "e-2")
    gate, began, kept = threading.Event(), threading.Event(), BulkRuns(app)

    class Slow(QuerySource):
        def take(self, count):  # noqa: ARG002 - of a batch
            began.set()
            gate.wait(30)
            return super().take(1)

    operation = Operation(act="retry", by="ada", why="x")
    query = Query(id="e-*")  # what was acted on stays in the listing
    given = {"most": None, "matched": 2, "filter": {}}
    source = lambda after: Slow("retry", query, after=after, app=app)  # noqa: E731
    run = kept.begin(Plan(operation=operation, source=source, **given))
    assert began.wait(30)
    run.stop()
    gate.set()
    eventually(lambda: not run.is_running)
    assert (run.is_stopped, run.can_go_on, run.count("done")) == (True, True, 1)
    kept.go_on(run)
    eventually(lambda: run.is_finished)
    assert (run.count("done"), [each.status for each in handles]) == (2, ["compensating"] * 2)


def test_an_act_on_many_is_one_entry_of_who_did_what(as_role, stuck, app):
    stuck("e-1", "e-2")
    client = as_role("operator")
    begin(client)
    page = client.get("/acts").text
    assert "2 of 2 sagas" in page
    (act,) = find_acts(app).acts
    assert (act.by, act.bulk.filter) == ("operator", {"status": ["stuck"]})
