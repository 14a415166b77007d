"""Paused sagas: how many there are, and when their deadlines come."""

import json
import re

import pytest

from amends.cli.exit_codes import Exit
from amends.log.maintenance import Maintenance
from amends.log.queries.listing import store_of
from amends.log.queries.paused import PausedSagas
from amends.telemetry.prometheus import SagaCollector
from tests.unit.cli.visit import ERROR

WHY = ("--why", "asking the customer")


@pytest.fixture
def store(app):
    return store_of(app)


@pytest.fixture
def paused(store):
    """Give the ids of the sagas that the log says are paused."""
    return lambda: sorted(each.id for each in PausedSagas.read(store).sagas)


def pause(moves, *ids):
    for each in ids:
        moves.log.control.pause_saga(each, actor={})


def pause_as_an_earlier_release(store, moves, saga_id):
    """Pause one without the set of paused sagas, as a release does that has none."""
    pause(moves, saga_id)
    shard = store.shard_of(saga_id)
    store.client.zrem(store.paused_key(shard), saga_id)
    store.client.hincrby(store.counters_key(shard), "paused|noted", -1)


def sample(app, name, **labels):
    """Return the value of a sample; None where there is none."""
    found = [
        each.value
        for family in SagaCollector(app).collect()
        for each in family.samples
        if each.name == name and each.labels == labels
    ]
    return found[0] if found else None


def test_paused_sagas_are_those_that_are_paused_now(moves, paused):
    moves.start("v-1", "v-2", "v-3", "v-4")
    pause(moves, "v-1", "v-2", "v-3")
    moves.log.control.resume_saga("v-2", actor={})
    moves.log.control.cancel_saga("v-3", error=ERROR, actor={})  # with nothing to undo it has ended
    assert paused() == ["v-1"]


def test_one_that_is_paused_twice_or_again_is_one(moves, store, paused):
    moves.start("v-1")
    pause(moves, "v-1", "v-1")
    moves.log.control.resume_saga("v-1", actor={})
    pause(moves, "v-1")
    assert paused() == ["v-1"]
    assert PausedSagas.read(store).is_complete


def test_what_an_earlier_release_paused_is_found_by_a_workers_look(moves, store, paused, app):
    moves.start("v-1", "v-2")
    pause(moves, "v-1")
    pause_as_an_earlier_release(store, moves, "v-2")
    found = PausedSagas.read(store)
    assert ([each.id for each in found.sagas], found.is_complete) == (["v-1"], False)
    assert sample(app, "amends_sagas_paused", saga="visit") is None  # better than a wrong one
    moves.log.maintenance.keep_paused()
    assert paused() == ["v-1", "v-2"]
    assert PausedSagas.read(store).is_complete
    assert sample(app, "amends_sagas_paused", saga="visit") == 2


def test_a_pause_during_that_look_is_looked_for_again(moves, store, monkeypatch):
    moves.start("v-1")
    pause_as_an_earlier_release(store, moves, "v-1")
    key, note = store.counters_key(store.shard_of("v-1")), Maintenance.note_pauses

    def note_late(self, shard, **how):
        for name in ("event|saga.paused|visit|", "paused|noted"):  # a pause of another process
            store.client.hincrby(key, name, 1)
        note(self, shard, **how)

    with monkeypatch.context() as patched:
        patched.setattr(Maintenance, "note_pauses", note_late)
        moves.log.maintenance.keep_paused()
    assert not PausedSagas.read(store).is_complete
    moves.log.maintenance.keep_paused()
    assert PausedSagas.read(store).is_complete


def test_a_look_drops_what_is_paused_no_more(moves, store):
    moves.start("v-1", "v-2")
    pause(moves, "v-1", "v-2")
    moves.log.control.resume_saga("v-1", actor={})
    moves.log.maintenance.keep_paused()
    entries = [
        each
        for n in range(store.shards)
        for each in store.client.zrange(store.paused_key(n), 0, -1)
    ]
    assert entries == ["v-2"]


def test_a_log_in_which_nobody_paused_is_not_looked_through(moves, store, monkeypatch):
    moves.start("v-1")
    monkeypatch.setattr(Maintenance, "note_pauses", lambda *_, **__: pytest.fail("it was"))
    moves.log.maintenance.keep_paused()
    assert PausedSagas.read(store).is_complete


def test_metrics_have_them_by_saga_with_a_zero_where_there_are_none(moves, app):
    moves.start("v-1", "v-2")
    assert sample(app, "amends_sagas_paused", saga="visit") == 0
    assert sample(app, "amends_sagas_paused_oldest_seconds") == 0
    assert sample(app, "amends_sagas_paused_deadline_seconds") == float("inf")
    pause(moves, "v-1")
    assert sample(app, "amends_sagas_paused", saga="visit") == 1
    assert sample(app, "amends_sagas_paused_oldest_seconds") >= 0
    assert 500 < sample(app, "amends_sagas_paused_deadline_seconds") <= 600


def test_one_that_goes_back_has_no_deadline_ahead(moves, app, store):
    moves.start("v-1")
    moves.do("v-1", "room")
    pause(moves, "v-1")
    moves.log.control.cancel_saga("v-1", error=ERROR, actor={})
    (found,) = PausedSagas.read(store).sagas
    assert (found.id, found.time_left) == ("v-1", None)


def test_stats_count_them(run, moves):
    assert " paused" not in run("stats").stdout
    moves.start("v-1", "v-2")
    pause(moves, "v-1", "v-2")
    shown = run("stats").stdout
    assert re.search(r"^2 paused, the first since [\d.]+s$", shown, re.MULTILINE)
    assert "saga list --paused" in shown
    assert re.search(r"The first deadline of these comes in (10m|9m \d+s): v-[12]\n", shown)
    told = json.loads(run("stats", "--json").stdout)["paused"]
    assert (told["count"], told["is_cut"], told["is_complete"]) == (2, False, True)
    assert told["next_deadline"]["id"] in ("v-1", "v-2")


def test_a_pause_says_when_the_deadline_comes_and_what_it_does(run, moves):
    moves.start("v-1")
    shown = run("pause", "v-1", *WHY)
    assert shown.exit_code == Exit.OK
    assert re.search(
        r"Its deadline comes in (10m|9m \d+s), at [-\d: ]+Z, paused or not:\n", shown.stdout
    )
    assert "it turns back then" in shown.stdout
    assert "begin once it is resumed." in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_of_several_the_first_deadline_is_told(run, moves):
    moves.start("v-1", "v-2")
    shown = run("pause", "v-1", "v-2", *WHY)
    assert re.search(r"The first deadline, of v-[12], comes in ", shown.stdout)
    moves.start("v-3")
    (told,) = json.loads(run("pause", "v-3", *WHY, "--json").stdout)["results"]
    assert 500 < told["deadline_in"] <= 600


def test_other_acts_tell_of_no_deadline(run, moves):
    moves.start("v-1")
    pause(moves, "v-1")
    assert "deadline" not in run("resume", "v-1", *WHY).stdout
