"""The list of what operators did, and who they are."""

import getpass
import json
import socket

import pytest

from amends import CircuitBreaker
from amends.errors import LogUnavailable
from amends.log.acts.act import SILENT_AFTER, BulkAct, Progress
from amends.log.acts.listing import Acts
from amends.log.queries import acts as queries
from amends.log.queries.acts import find_acts
from amends.operations import perform
from amends.saga.bulk import Operation, Target
from tests.support.log_view import view_of

WHY = ("--why", "the bank is back")
BY = {"by": "ada", "why": "the bank is back"}


def acts_of(run, *options):
    shown = run("acts", "--json", *options)
    assert shown.exit_code == 0, shown.output
    return json.loads(shown.stdout)["acts"]


def told(act):
    return {name: value for name, value in act.items() if value is not None and name != "at"}


def test_a_log_in_which_nobody_acted_says_so(run, waiting):
    waiting("e-1")
    assert run("acts").stdout == "Nobody has acted.\n"
    assert run("acts", "--by", "ada").stdout == "No act fits.\n"


def test_an_act_on_one_saga_says_when_who_what_on_which_and_why(run, stuck):
    stuck("e-1")
    run("retry", "e-1", *WHY, "--by", "ada", "--act-id", "act-1")
    (act,) = acts_of(run)
    assert told(act) == {
        "act": "retry",
        "act_id": "act-1",
        "id": "e-1",
        "saga": "errand",
        **BY,
    }
    lines = run("acts").stdout.splitlines()
    assert lines[0].split() == ["at", "who", "act", "on", "result", "why"]
    assert lines[1].split()[1:] == ["ada", "retry", "e-1", "done", "the", "bank", "is", "back"]


def test_an_act_of_the_library_is_listed_as_one_of_the_command(run, waiting):
    (handle,) = waiting("e-1")
    handle.pause(by="bob")
    handle.resume()
    assert [(each["act"], each["by"]) for each in acts_of(run)] == [
        ("resume", None),
        ("pause", "bob"),
    ]


def test_an_act_on_many_sagas_is_one_entry_with_its_filter_and_its_numbers(run, stuck):
    stuck("e-1", "e-2", "e-3")
    run("retry", "--saga", "errand", "--yes", *WHY, "--by", "ada", "--act-id", "bulk-1")
    (act,) = acts_of(run)
    bulk = act.pop("bulk")
    assert told(act) == {"act": "retry", "act_id": "bulk-1", **BY}
    assert {name: bulk[name] for name in ("matched", "done", "refused", "state", "filter")} == {
        "matched": 3,
        "done": 3,
        "refused": 0,
        "state": "ended",
        "filter": {"saga": "errand"},
    }
    assert "3 sagas  3 done  the bank is back (of --saga errand)" in run("acts").stdout


def test_a_bulk_act_counts_what_was_refused(run, stuck, waiting):
    stuck("e-1")
    waiting("e-2")
    run("retry", "e-1", "e-2", "nobody", *WHY)
    (act,) = acts_of(run)
    assert (act["bulk"]["done"], act["bulk"]["refused"]) == (1, 2)
    assert "3 sagas  1 done, 2 refused" in run("acts").stdout


def test_a_bulk_act_that_was_stopped_says_how_to_go_on(run, app, stuck):
    stuck("e-1", "e-2")
    how = {"filter": {"saga": "errand", "where": ["customer=ada o"]}}
    operation = Operation(act="retry", act_id="bulk-1", **BY, **how)
    results = perform(operation, [Target(id="e-1"), Target(id="e-2")])
    next(results)
    results.close()
    shown = run("acts").stdout
    assert "stopped at 1 of 2" in shown
    assert "retry bulk-1 was stopped: 1 done. To go on with it:" in shown
    assert (
        "saga retry --saga errand --where 'customer=ada o' --why 'the bank is back' --act-id bulk-1"
        in shown
    )
    assert acts_of(run)[0]["go_on"].endswith(" --act-id bulk-1")


def test_a_bulk_act_whose_process_died_is_interrupted_once_it_is_silent(app, log):
    log.acts.begin(BulkAct(act_id="bulk-1", act="retry"), Progress(matched=5, after="here"))
    key = view_of(log).acts_keys[1]
    assert find_acts(app).acts[0].bulk.state == "running"
    client = view_of(log).client
    said = json.loads(client.hget(key, "bulk-1"))
    said["updated"] -= round(SILENT_AFTER * 1000) + 1000
    client.hset(key, "bulk-1", json.dumps(said))
    (act,) = find_acts(app).acts
    assert act.is_interrupted
    assert act.bulk.after == "here"


def test_a_bulk_act_goes_on_while_the_list_cannot_be_written(run, stuck, monkeypatch, caplog):
    handles = stuck("e-1", "e-2")

    def away(*_):
        raise LogUnavailable("the saga log is away")

    monkeypatch.setattr(Acts, "_note", away)
    assert run("retry", "e-1", "e-2", *WHY).exit_code == 0
    assert {handle.status for handle in handles} == {"compensating"}
    assert "the list of acts does not have" in caplog.text


def test_acts_are_filtered_by_who_what_and_which(run, stuck, waiting):
    stuck("e-1")
    handle, other = waiting("e-2", "e-3")
    run("retry", "e-1", *WHY, "--by", "ada")
    handle.pause(by="bob")
    other.pause(by="ada")

    def ids(*options):
        return [each["id"] for each in acts_of(run, *options)]

    assert ids("--by", "ada") == ["e-3", "e-1"]
    assert ids("--act", "pause") == ["e-3", "e-2"]
    assert ids("--id", "e-2") == ["e-2"]
    assert ids("--by", "ada", "--act", "pause") == ["e-3"]
    assert ids("--saga", "errand") == ["e-3", "e-2", "e-1"]
    assert ids("--saga", "other") == []


def test_acts_since_a_time_are_those_that_came_after(run, log, waiting):
    (handle,) = waiting("e-1")
    handle.pause(by="bob")
    view = view_of(log)
    key = view.acts_key(view.shard_of("e-1"))
    view.client.zincrby(key, -3_600_000, view.client.zrange(key, 0, 0)[0])
    handle.resume(by="ada")
    assert [each["by"] for each in acts_of(run, "--since", "30m")] == ["ada"]
    assert [each["by"] for each in acts_of(run, "--since", "2h")] == ["ada", "bob"]


def test_what_is_older_than_the_list_keeps_is_not_shown_before_it_is_removed(run, log, waiting):
    (handle,) = waiting("e-1")
    handle.pause(by="bob")
    view = view_of(log)
    key = view.acts_key(view.shard_of("e-1"))
    view.client.zincrby(key, -91 * 86_400_000, view.client.zrange(key, 0, 0)[0])
    assert acts_of(run) == []


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_over_all_pages_each_act_comes_once_also_of_one_millisecond(app, log, monkeypatch, at_once):
    monkeypatch.setattr(queries, "_FIRST", at_once)
    view, expected = view_of(log), []
    for k in range(60):
        at = 1_000 * (k // 7)
        key = view.acts_key(k % 3) if k % 4 else view.acts_keys[0]
        now = int(view.client.time()[0]) * 1000 - 100_000
        view.client.zadd(
            key, {f'a{k:02} {{"act":"retry","saga":"e-{k}"}}': now // 60_000 * 60_000 + at}
        )
        expected.append(f"a{k:02}")
    found, after = [], None
    while True:
        page = find_acts(app, limit=7, after=after)
        found += [act.id for act in page.acts]
        after = page.after
        if after is None:
            break
    assert sorted(found) == sorted(expected)
    assert [int(each[1:]) // 7 for each in found] == sorted(
        (k // 7 for k in range(60)), reverse=True
    )


def test_a_page_that_looked_through_its_most_says_so(run, waiting, monkeypatch):
    for handle in waiting("e-1", "e-2", "e-3"):
        handle.pause(by="bob")
    monkeypatch.setattr(queries, "MOST_LOOKED_AT", 2)
    page = json.loads(run("acts", "--json", "--by", "ada").stdout)
    assert (page["acts"], bool(page["after"])) == ([], True)
    assert "and stopped" in run("acts", "--by", "ada").stdout
    assert json.loads(run("acts", "--json", "--after", page["after"]).stdout)["after"] is None


def test_a_place_that_no_page_gave_is_a_wrong_usage(run):
    assert run("acts", "--after", "nonsense").exit_code == 2


def test_a_log_that_is_away_is_no_empty_list(run, app):
    app.conf.amends_backend = "redis://127.0.0.1:1/0"
    assert run("acts").exit_code == 5


def test_a_list_is_read_by_commands_that_write_nothing(app, log, waiting, monkeypatch):
    (handle,) = waiting("e-1")
    handle.pause(by="bob")
    before = {key: view_of(log).client.dump(key) for key in view_of(log).client.keys("*")}
    assert find_acts(app).acts
    assert before == {key: view_of(log).client.dump(key) for key in view_of(log).client.keys("*")}


def test_acts_on_a_circuit_are_listed_also_those_of_the_library(run, app):
    breaker = CircuitBreaker("acts.bank", failure_on=(OSError,))
    run("breaker", "acts.bank", "open", *WHY, "--by", "ada")
    breaker.disable(by="bob", why="it counts what is none")
    breaker.clear_override(by="bob")
    breaker.clear_override(by="bob")  # there is none
    breaker.reset(by="bob")
    assert [(each["act"], each["by"], each["circuit"]) for each in acts_of(run)] == [
        ("close", "bob", "acts.bank"),
        ("clear", "bob", "acts.bank"),
        ("disable", "bob", "acts.bank"),
        ("open", "ada", "acts.bank"),
    ]
    assert "circuit acts.bank" in run("acts").stdout


def test_a_circuit_is_taken_over_though_the_list_cannot_be_written(run, app, monkeypatch, caplog):
    def away(*_):
        raise LogUnavailable("the saga log is away")

    monkeypatch.setattr(Acts, "_note", away)
    breaker = CircuitBreaker("acts.bank", failure_on=(OSError,))
    breaker.force_open(by="ada")
    assert breaker.state == "forced_open"
    assert "open is not listed" in caplog.text


def test_a_signal_of_an_operator_is_listed_with_the_name_of_its_wait(app, log, run):
    results = perform(Operation(act="signal", by="ada", why="", step="approval"), [Target(id="e")])
    assert [each.verdict for each in results] == ["unknown"]
    (act,) = acts_of(run)
    assert (act["act"], act["step"], act["bulk"]["refused"]) == ("signal", "approval", 1)


# Who


def test_a_login_as_root_names_the_host(run, waiting, monkeypatch):
    waiting("e-1")
    monkeypatch.setattr(getpass, "getuser", lambda: "root")
    run("pause", "e-1", *WHY)
    assert acts_of(run)[0]["by"] == f"root@{socket.gethostname()}"


def test_an_environment_variable_may_say_who_acts(run, app, waiting, monkeypatch):
    waiting("e-1")
    app.conf.amends_operator = "ON_CALL"
    monkeypatch.setenv("ON_CALL", "ada")
    run("pause", "e-1", *WHY)
    run("resume", "e-1", *WHY, "--by", "bob")
    assert [each["by"] for each in acts_of(run)] == ["bob", "ada"]


def who():
    return "ada from the door"


def test_a_function_may_say_who_acts(run, app, waiting):
    waiting("e-1")
    app.conf.amends_operator = f"{__name__}:who"
    run("pause", "e-1", *WHY)
    assert acts_of(run)[0]["by"] == "ada from the door"


def nobody():
    return None


def failing():
    raise OSError("no such door")


@pytest.mark.parametrize(
    ("operator", "said"),
    [
        ("ON_CALL", "the environment variable ON_CALL, which amends_operator names, is not set"),
        (f"{__name__}:nobody", "returned None"),
        (f"{__name__}:failing", "raised OSError: no such door"),
        ("no.such.module:who", "raised ModuleNotFoundError"),
    ],
)
def test_without_an_answer_nothing_is_done_under_another_name(run, app, waiting, operator, said):
    waiting("e-1")
    app.conf.amends_operator = operator
    shown = run("pause", "e-1", *WHY)
    assert shown.exit_code == 2
    assert " ".join(said.split()) in " ".join(shown.stderr.split())
    assert acts_of(run) == []
