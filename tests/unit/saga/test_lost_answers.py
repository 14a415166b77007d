"""A start or an act whose answer is lost is asked for again: it is the same start, the same act."""

from contextlib import suppress
from functools import partial
from types import SimpleNamespace

import pytest

import amends
from amends import ActRefused, LogUnavailable, SagaAlreadyStarted
from amends.log.saga_log import log_of
from amends.log.store import Store
from amends.operations import perform
from amends.saga import batches, definition
from amends.saga.bulk import Operation, Target, Verdict
from tests.support.app import in_process_app
from tests.support.engine_saga import Job, job_saga
from tests.support.log_view import lost_answers, view_of
from tests.support.published_messages import letter_saga

JOB = Job(job_id="1")


@pytest.fixture
def log():
    with in_process_app("lost") as app:
        yield log_of(app)


def started(log, number=1):
    """Return the ids of all sagas in the log, once each, and check how many they are."""
    ids = [key.rpartition(":")[2] for key in view_of(log).client.keys("amends:*:saga:*")]
    assert len(ids) == number
    return ids


def test_o24c_a_start_is_asked_for_again_under_the_id_that_was_drawn(log):
    with lost_answers(log, "start_saga", times=1) as sent:
        handle = job_saga.start(JOB)
    assert len(sent) == 2
    assert started(log) == [handle.id]


def test_a_start_that_stays_unanswered_says_under_which_id_to_repeat_it(log):
    with lost_answers(log, "start_saga", times=2), pytest.raises(LogUnavailable) as caught:
        job_saga.start(JOB)
    saga_id = caught.value.saga_id
    assert f"saga '{saga_id}' may have been started: repeat" in str(caught.value)
    assert job_saga.start(JOB, saga_id=saga_id).id == saga_id
    assert started(log) == [saga_id]


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("second", [False, True])
def test_nothing_was_started_or_done_if_both_calls_were_refused(log, monkeypatch, first, second):
    handle, refusals = job_saga.start(JOB), []

    def refuse(*_):
        raise LogUnavailable("away", refused=refusals.pop())

    monkeypatch.setattr(Store, "_send", refuse)
    for call in (partial(job_saga.start, JOB, saga_id="new"), handle.pause):
        refusals += [second, first]
        with pytest.raises(LogUnavailable) as caught:
            call()
        assert caught.value.refused is (first and second)


def test_a_start_of_what_is_in_the_log_is_done_though_it_cannot_be_published_again(log):
    handle = job_saga.start(JOB)
    with lost_answers(log, "dispatch_saga", times=1) as sent:
        assert job_saga.start(JOB, saga_id=handle.id).id == handle.id
    assert sent


def test_many_starts_are_asked_for_again_under_their_ids(log):
    with lost_answers(log, "start_saga", times=1):
        handles = job_saga.start_many([JOB] * 20)
    assert {handle.id for handle in handles} == set(started(log, 20))


@pytest.mark.parametrize(("of", "read"), [(list, 6), (iter, 4)])
def test_many_starts_that_stay_unanswered_say_which_were_answered(log, monkeypatch, of, read):
    monkeypatch.setattr(batches, "_MOST", 2)
    inputs = [Job(job_id=str(number)) for number in range(6)]
    send = log.starts.start_sagas

    def lose_the_second(itinerary, chunk, *how):
        if len(view_of(log).client.keys("amends:*:saga:*")) < 2:
            return send(itinerary, chunk, *how)
        with lost_answers(log, "start_saga", times=2):
            return send(itinerary, chunk, *how)

    monkeypatch.setattr(log.starts, "start_sagas", lose_the_second)
    with pytest.raises(LogUnavailable) as caught:
        job_saga.start_many(of(inputs))
    error = caught.value
    assert (len(error.saga_ids), error.answered) == (read, 2)
    assert f"2 of {read} starts were answered" in str(error)
    assert set(started(log, 4)) == set(error.saga_ids[:4])

    monkeypatch.undo()
    handles = job_saga.start_many(inputs[:read], saga_ids=error.saga_ids)
    assert [handle.id for handle in handles] == list(error.saga_ids)
    started(log, read)


def test_an_id_that_comes_twice_is_published_by_its_first_answer(log, monkeypatch):
    published = []
    monkeypatch.setattr(definition, "publish_many", lambda _, ids, __: published.extend(ids))
    with pytest.raises(SagaAlreadyStarted):
        letter_saga.start_many([JOB, Job(job_id="another")], saga_ids=["twice", "twice"])
    assert published == ["twice"]


ACTS = {
    "cancel": lambda handle, **how: handle.cancel(**how),
    "retry": lambda handle, **how: handle.retry(**how),
    "skip": lambda handle, **how: handle.skip("a", output={"part": "by hand"}, **how),
    "pause": lambda handle, **how: handle.pause(**how),
    "resume": lambda handle, **how: handle.resume(**how),
}
SCRIPTS = {"skip": "skip_step"}
EVENTS = {"cancel": "saga.cancelled", "retry": "saga.retried", "skip": "step.skipped"}
EVENTS |= {"pause": "saga.paused", "resume": "saga.resumed"}


def script_of(act):
    return SCRIPTS.get(act, f"{act}_saga")


def ready_for(act):
    """Give a saga on which the act does something."""
    handle = job_saga.start(JOB)
    log = log_of(amends.saga.handle.current_app)
    if act == "resume":
        handle.pause()
    elif act == "retry":
        how = {"token": "t", "error": '{"type":"E","message":""}', "wait": 60.0}
        log.claim_step(handle.id, "a", token="t", owner="", retries=0)
        log.retry_step(handle.id, "a", **how, unknown=False, cost="attempt")
    return handle


def count(handle, act):
    return [event.name for event in handle.history()].count(EVENTS[act])


@pytest.mark.parametrize("act", ACTS)
def test_an_act_is_asked_for_again_and_is_the_same_one(log, act):
    handle = ready_for(act)
    with lost_answers(log, script_of(act), times=1) as sent:
        assert ACTS[act](handle, by="ada") in (True, None)
    assert len(sent) == 2
    assert count(handle, act) == 1


@pytest.mark.parametrize("act", ACTS)
def test_an_act_that_stays_unanswered_is_repeated_under_its_id_after_others_acted(log, act):
    handle = ready_for(act)
    with lost_answers(log, script_of(act), times=2), pytest.raises(LogUnavailable) as caught:
        ACTS[act](handle, by="ada")
    error = caught.value
    assert error.saga_id == handle.id
    assert f"repeat it with the act id {error.act_id}" in str(error)
    for other in (handle.pause, handle.resume, handle.cancel):
        with suppress(ActRefused):  # a cancel has ended it
            other(by="bob")
    before = len(handle.history())
    assert ACTS[act](handle, by="ada", act_id=error.act_id) in (True, None)
    assert len(handle.history()) == before


def test_a_saga_keeps_few_act_ids_whatever_is_done_to_it(log):
    handle = job_saga.start(JOB)
    for _ in range(30):
        handle.pause()
        handle.resume()
    assert len(log.read_saga(handle.id).fields["act"]) < 160


@pytest.mark.parametrize("act_id", ["", "a,b", "x" * 65, "a b"])
def test_an_act_id_that_the_log_could_not_keep_is_refused(log, act_id):
    handle = job_saga.start(JOB)
    with pytest.raises(ValueError, match="act_id"):
        handle.pause(act_id=act_id)


def test_an_operation_on_many_is_repeated_as_it_is(log):
    handles = [job_saga.start(JOB) for _ in range(3)]
    operation = Operation(act="cancel", by="ada", why="they asked")
    targets = [Target(id=handle.id) for handle in handles]
    with lost_answers(log, "cancel_saga", times=2):
        first = list(perform(operation, targets))
    assert [each.verdict for each in first] == ["unavailable", "not_tried", "not_tried"]
    assert operation.act_id in first[0].reason
    assert [each.verdict for each in perform(operation, targets)] == [Verdict.DONE] * 3
    assert [count(handle, "cancel") for handle in handles] == [1, 1, 1]


def test_of_many_retries_at_once_one_is_done_and_the_others_are_told_why_not(log):
    handle = ready_for("retry")
    told = SimpleNamespace(done=0, reasons=set())
    view = view_of(log)
    for _ in range(20):
        try:
            handle.retry()
            told.done += 1
            view.client.hincrby(view.saga_key(handle.id), "sent", 3_600_000)  # however slow we are
        except ActRefused as refused:
            told.reasons.add(refused.reason)
    assert told.done == count(handle, "retry") == 1
    (reason,) = told.reasons
    assert reason.startswith("a is under way")
