"""A bulk run: batch by batch, stopped and gone on with, each saga once."""

from dataclasses import replace
from functools import partial

import pytest

from amends.definition.states import SagaStatus
from amends.errors import LogUnavailable
from amends.log.control import SagaControl
from amends.log.saga_log import log_of
from amends.operations import (
    STUCK,
    BulkRun,
    Operation,
    Query,
    QuerySource,
    Target,
    TargetSource,
    Verdict,
    count_sagas,
    find_causes,
)
from amends.operations import bulk_run as module
from tests.support.app import in_process_app
from tests.support.engine_saga import job_saga
from tests.support.log_view import lost_answers, view_of
from tests.support.stuck_sagas import StuckSagas

ERROR = "Away: nobody answers"


@pytest.fixture
def app():
    with in_process_app("bulk") as app:
        yield app


@pytest.fixture
def log(app):
    return log_of(app)


@pytest.fixture
def sagas(log):
    return StuckSagas(log, job_saga.itinerary, "a")


@pytest.fixture
def stuck(sagas):
    """Give the ids of seven stuck sagas."""
    ids = [f"o-{n}" for n in range(7)]
    sagas.be_stuck(dict.fromkeys(ids, ERROR))
    return ids


def operation(act="retry", **how):
    return Operation(act=act, by="ada", why="the bank is back", **how)


def run_of(act="retry", query=STUCK, *, after=None, how=None, **options):
    made = how or operation(act)
    source = QuerySource(act, query, after=after)
    return BulkRun(operation=made, source=source, **{"batch": 2, **options})


def retried(sagas, ids):
    return [sagas.names(each).count("saga.retried") for each in ids]


def test_it_acts_on_all_that_a_query_finds_and_tells_how_far_it_is(sagas, stuck):
    progress = list(run_of())
    assert [each.done for each in progress] == [2, 4, 6, 7]
    assert [each.is_finished for each in progress] == [False, False, False, True]
    assert [len(each.results) for each in progress] == [2, 2, 2, 1]
    assert progress[-1].after is None
    assert progress[-1].counts == {Verdict.DONE: 7}
    assert retried(sagas, stuck) == [1] * 7


def test_the_history_says_by_whom_and_why_and_each_saga_has_its_message(app, log, stuck):
    with (
        app.connection_for_write() as connection
    ):  # of which others in this process share the broker
        connection.SimpleQueue(app.conf.task_default_queue).clear()
    list(run_of(batch=3))
    event = log.read_history("o-3")[-1]
    assert event.details == {"by": "ada", "why": "the bank is back"}
    with app.connection_for_read() as connection:
        queue = connection.SimpleQueue(app.conf.task_default_queue)
        assert queue.qsize() == 7


def test_one_that_was_stopped_is_gone_on_with_from_its_place(sagas, stuck):
    first = run_of()
    for progress in first:
        if progress.done == 4:
            first.stop()
    assert (progress.done, progress.is_finished, first.is_stopped) == (4, False, True)
    assert sagas.count(SagaStatus.STUCK) == 3
    rest = list(run_of(after=progress.after, how=first.operation))
    assert [each.done for each in rest] == [2, 3]
    assert retried(sagas, stuck) == [1] * 7


def test_what_is_stuck_again_meanwhile_is_left_alone_and_the_run_ends(sagas, stuck):
    rounds = 0
    for progress in run_of():
        rounds += 1
        sagas.fail_undo({each.id: ERROR for each in progress.results})
    assert rounds == 4
    assert retried(sagas, stuck) == [1] * 7
    assert sagas.count(SagaStatus.STUCK) == 7


def test_another_run_of_the_same_act_does_none_twice(sagas, stuck):
    first = run_of()
    list(first)
    sagas.fail_undo(dict.fromkeys(stuck, ERROR))
    (*_, last) = run_of(how=first.operation)
    assert last.done == 7
    assert retried(sagas, stuck) == [1] * 7
    list(run_of())
    assert retried(sagas, stuck) == [2] * 7


@pytest.mark.parametrize(("act", "query"), [("retry", STUCK), ("pause", replace(STUCK, step="a"))])
@pytest.mark.usefixtures("stuck")
def test_one_that_moves_between_its_page_and_the_act_is_refused(
    log, sagas, monkeypatch, act, query
):
    acts = module.perform_batch

    def perform(given, made, targets, line, **how):
        if targets[0].id == "o-0":
            log.control.pause_saga("o-0", actor={"by": "bob"})
            log.control.resume_saga("o-0", actor={"by": "bob"})
        return acts(given, made, targets, line, **how)

    monkeypatch.setattr(module, "perform_batch", perform)
    (*_, last) = run_of(act, query)
    assert last.counts == {Verdict.REFUSED: 1, Verdict.DONE: 6}
    assert sagas.names("o-0")[-1] == "saga.resumed"


@pytest.mark.parametrize("act", ["pause", "resume", "cancel"])
def test_the_other_acts_find_their_own(log, sagas, act):
    ids = [f"o-{n}" for n in range(5)]
    sagas.start(ids)
    if act == "resume":
        for each in ids:
            log.control.pause_saga(each, actor={})
    paused = {"pause": False, "resume": True, "cancel": None}[act]
    query = Query(statuses=frozenset({SagaStatus.PENDING}), paused=paused)
    (*_, last) = run_of(act, query)
    assert last.counts == {Verdict.DONE: 5}
    assert {"saga." + act.rstrip("e") + ("led" if act == "cancel" else "ed")} <= set(
        sagas.names("o-4")
    )


def test_a_skip_is_done_one_by_one(sagas, stuck):
    (*_, last) = run_of("skip", how=operation("skip", step="a"))
    assert last.counts == {Verdict.DONE: 7}
    assert sagas.count(SagaStatus.COMPENSATED) == 7


def test_a_cancel_that_comes_too_late_says_where_the_saga_is(stuck):
    source = TargetSource([Target(id="o-1"), Target(id="nobody")])
    (last,) = BulkRun(operation=operation("cancel"), source=source)
    assert [(each.verdict, each.reason) for each in last.results] == [
        ("refused", "it is stuck"),
        ("unknown", "there is no such saga"),
    ]


def test_a_lost_answer_is_asked_for_again(log, sagas, stuck):
    with lost_answers(log, "retry_saga", times=1):
        (*_, last) = run_of()
    assert (last.done, last.reason) == (7, None)
    assert retried(sagas, stuck) == [1] * 7


def test_a_log_that_does_not_answer_ends_it_with_the_place_to_go_on_from(log, sagas, stuck):
    first, progress = run_of(), []
    with lost_answers(log, "retry_saga", times=99) as sent:
        progress += first
    assert len(sent) == 2
    (last,) = progress
    assert last.counts == {Verdict.UNAVAILABLE: 2}
    assert "no answer" in last.reason
    assert not last.is_finished
    assert last.tried == 2
    (*_, last) = run_of(after=last.after, how=first.operation)
    assert last.is_finished
    assert retried(sagas, stuck) == [1] * 7


def test_what_the_log_could_not_be_asked_for_is_done_by_the_run_that_goes_on(
    sagas, stuck, monkeypatch
):
    first, calls = run_of(), []
    ask = SagaControl.act_on_sagas

    def away(self, *given, **how):
        calls.append(given)
        if len(calls) > 1:
            raise LogUnavailable("away")
        return ask(self, *given, **how)

    with monkeypatch.context() as patch:
        patch.setattr(SagaControl, "act_on_sagas", away)
        *_, last = first
    assert last.counts == {Verdict.DONE: 2, Verdict.UNAVAILABLE: 2}
    (*_, last) = run_of(after=last.after, how=first.operation)
    assert (last.done, last.is_finished) == (5, True)
    assert retried(sagas, stuck) == [1] * 7


def test_a_page_that_cannot_be_read_ends_it_the_same(app, stuck, monkeypatch):
    run = run_of()
    progress = []
    for each in run:
        progress.append(each)
        monkeypatch.setattr("amends.operations.sources.find_sagas", partial(fail, "gone"))
    assert [each.done for each in progress] == [2, 2]
    assert progress[-1].reason == "gone"
    assert progress[-1].after == progress[0].after is not None


def fail(reason, *_, **__):
    raise LogUnavailable(reason)


def test_it_takes_so_many_at_most(sagas, stuck):
    (*_, last) = run_of(most=3)
    assert (last.done, last.is_finished) == (3, False)
    assert sagas.count(SagaStatus.STUCK) == 4


def test_it_keeps_to_its_rate(stuck, monkeypatch):
    waits, now = [], [0.0]

    def wait(seconds):
        waits.append(round(seconds, 6))
        now[0] += seconds

    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(module.threading.Event, "wait", lambda _, seconds: wait(seconds))
    run = run_of(rate=3.0, batch=200)
    assert [each.done for each in run] == [3, 6, 7]
    assert waits == [1.0, 1.0]


def test_named_sagas_are_taken_in_their_order(sagas, stuck):
    source = TargetSource([Target(id=each) for each in reversed(stuck)])
    ids = [
        each.id
        for p in BulkRun(operation=operation(), source=source, batch=3)
        for each in p.results
    ]
    assert ids == stuck[::-1]


def test_nothing_to_do_is_done_at_once(log):
    (last,) = run_of()
    assert (last.done, last.is_finished) == (0, True)


class TestCauses:
    def test_they_have_true_totals_the_most_frequent_first(self, app, sagas):
        sagas.be_stuck({f"o-{n}": f"Away: no o-{n} in {n}s" for n in range(4)})
        sagas.be_stuck({f"p-{n}": "KeyError: 'sku'" for n in range(5)})
        found = find_causes(app)
        assert [(each.count, each.cause.error) for each in found.groups] == [
            (5, "KeyError: 'sku'"),
            (4, "Away: no <id> in <n>"),
        ]
        assert [each.oldest.id for each in found.groups] == ["p-0", "o-0"]
        assert (found.total, found.looked_at, found.is_cut) == (9, 9, False)
        key = found.groups[1].cause.key
        assert count_sagas(app, Query(cause=key)).count == 4
        assert count_sagas(app, Query(error="away: NO o-3")).count == 1
        assert count_sagas(app, Query(error="no <id>")).count == 4

    @pytest.mark.usefixtures("stuck")
    def test_a_cut_is_told(self, app, monkeypatch):
        monkeypatch.setattr("amends.log.queries.cause_groups._AT_ONCE", 2)
        told = []
        found = find_causes(app, most_looked_at=5, told=told.append)
        assert (found.total, found.looked_at, found.is_cut) == (5, 5, True)
        assert told == [2, 4, 5]
        count = count_sagas(app, STUCK, most_looked_at=3)
        assert (count.count, count.is_cut) == (3, True)
        assert not find_causes(app, most_looked_at=7).is_cut

    @pytest.mark.usefixtures("stuck")
    def test_they_are_of_a_query(self, app):
        assert find_causes(app, Query(statuses=STUCK.statuses, id="o-3")).total == 1


def test_reads_write_nothing(app, log):
    find_causes(app)
    assert view_of(log).client.keys() == []
