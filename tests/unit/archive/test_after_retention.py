"""An ended saga older than its retention is found through the archive, and a second start of its id charges nothing."""

import asyncio

import pytest
from pydantic import BaseModel

import amends
from amends import Child, Saga, SagaAlreadyStarted, UnknownSaga, UnreadableData
from amends.errors import ConfigurationError
from amends.log.saga_log import log_of
from amends.worker.retention import remove_ended
from tests.support.archives import ON_DISK, TAKING, on_disk
from tests.support.log_view import view_of
from tests.unit.archive.sale import Sale, charges, sale_saga


def test_o1b_it_is_found_and_a_second_start_of_its_id_charges_nothing(app, archive, sold):
    before = sold("s-1")
    shown, events, output = before.snapshot(), before.history(), before.wait()
    assert remove_ended(app) == 1
    assert not view_of(log_of(app)).client.exists(view_of(log_of(app)).saga_key("s-1"))

    handle = sold("s-1")
    assert charges == ["s-1"]
    assert (handle.status, handle.outcome) == ("completed", "completed")
    assert handle.snapshot() == shown
    assert handle.history() == events
    assert handle.wait(timeout=1.0) == output
    assert handle.wait(timeout=1.0, until="ship") == output
    assert amends.get("s-1").wait()["charge"] == "c-s-1"
    assert [each.id for each in archive.sagas] == ["s-1"]


def test_each_way_to_start_is_answered(app, archive, sold):
    sold("s-1")
    remove_ended(app)
    sale = Sale(sale="s-1")
    many = sale_saga.start_many([sale, Sale(sale="s-2")], saga_ids=["s-1", "s-2"])
    later = sale_saga.start(sale, saga_id="s-1", after=60.0)
    assert [each.status for each in (*many, later)] == ["completed"] * 3
    assert charges == ["s-1", "s-2"]


def test_a_coroutine_is_answered_too(app, archive, sold):
    async def act():
        handle = await sale_saga.start_async(Sale(sale="s-1"), saga_id="s-1")
        return await handle.wait_async(timeout=5.0), await handle.status_async()

    sold("s-1")
    remove_ended(app)
    output, status = asyncio.run(act())
    assert (output.charge, status, charges) == ("c-s-1", "completed", ["s-1"])


def test_another_input_is_refused(app, archive, sold):
    sold("s-1")
    remove_ended(app)
    with pytest.raises(SagaAlreadyStarted, match="was already started, as 'sale'"):
        sale_saga.start(Sale(sale="other"), saga_id="s-1")
    with pytest.raises(SagaAlreadyStarted):
        sale_saga.start_many([Sale(sale="other")], saga_ids=["s-1"])
    assert charges == ["s-1"]


def test_one_that_was_undone_is_known_as_that(app, archive, sold):
    sold("s-1", address="nowhere")
    remove_ended(app)
    handle = sold("s-1", address="nowhere")
    assert (handle.status, handle.outcome) == ("compensated", "not_shipped")
    assert charges == ["s-1", "-s-1"]


def test_without_an_archive_its_outcome_is_known_and_nothing_else(app, sold):
    app.conf.amends_archive = None
    sold("s-1", address="nowhere")
    remove_ended(app)
    handle = sold("s-1", address="nowhere")
    assert (handle.status, handle.outcome) == ("compensated", "not_shipped")
    for read in (handle.wait, handle.snapshot, handle.history):
        with pytest.raises(
            UnknownSaga,
            match=r"'s-1' ended as not_shipped at .*: sagas are kept for 0.0001 s after",
        ):
            read()
    assert charges == ["s-1", "-s-1"]


def test_an_archive_that_finds_nothing_again_takes_all_the_same(app, archive, sold):
    app.conf.amends_archive = TAKING
    sold("s-1")
    remove_ended(app)
    assert [each.id for each in archive.sagas] == ["s-1"]
    with pytest.raises(UnknownSaga, match="ended as completed"):
        amends.get("s-1").snapshot()


def test_an_id_that_is_not_remembered_may_be_used_again(app, archive, sold):
    app.conf.amends_remember = 0
    sold("s-1")
    remove_ended(app)
    assert amends.get("s-1").status == "completed"  # by the archive
    sold("s-1")
    assert charges == ["s-1", "s-1"]


def test_an_archive_that_cannot_be_asked_is_told(app, archive, sold, monkeypatch):
    def fail(_):
        raise OSError("the disk is away")

    sold("s-1")
    remove_ended(app)
    monkeypatch.setattr(archive, "find", fail)
    with pytest.raises(
        UnknownSaga, match=r"ended as .*; the archive could not be asked: OSError: the"
    ):
        amends.get("s-1").snapshot()


def test_an_unknown_id_says_how_long_sagas_are_kept(app, archive):
    app.conf.amends_retention = 7 * 86400.0
    with pytest.raises(
        UnknownSaga,
        match=r"no saga 'x' in the log: sagas are kept for 7 d after their end \(amends_r",
    ):
        amends.get("x")


def test_a_saga_that_cannot_be_read_is_archived_as_it_is(app, archive, sold):
    sold("s-1")
    view = view_of(log_of(app))
    view.client.hset(view.saga_key("s-1"), "input", "{no JSON")
    assert remove_ended(app) == 1
    (kept,) = archive.sagas
    assert (kept.id, kept.saga, kept.status, kept.outcome) == ("s-1", "sale", *["completed"] * 2)
    assert kept.unreadable
    assert kept.fields["input"] == "{no JSON"
    assert len(kept.events) == len(amends.get("s-1").history()) > 0
    with pytest.raises(UnreadableData, match="could not read"):
        amends.get("s-1").snapshot()


def test_a_document_is_read_as_it_was_written(app, archive, sold, tmp_path):
    on_disk.move_to(tmp_path)
    app.conf.amends_archive = ON_DISK
    before = sold("s-1")
    shown, events = before.snapshot(), before.history()
    remove_ended(app)
    assert before.snapshot() == shown
    assert before.history() == events
    kept = on_disk.find("s-1")
    assert kept.input == {"sale": "s-1", "address": "here"}
    assert kept.output == {"sale": "s-1", "outcome": "completed", "charge": "c-s-1"}
    states = {each.path: each.state for each in kept.records}
    assert states == {"charge_card": "done", "charge_card:undo": "pending", "ship": "done"}
    assert [each.name for each in kept.history][-1] == "saga.finished"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("shop", "not <module>:<name>, such as"),
        ("no_such_module:archive", "cannot be imported .ModuleNotFoundError"),
        ("tests.support.archives:absent", "cannot be imported .AttributeError"),
        ("tests.support.archives:PATH", "a str that cannot be called"),
        ("tests.support.archives:Kept", "a type that cannot be called"),
    ],
)
def test_a_wrong_archive_is_refused(app, path, told):
    app.conf.amends_archive = path
    with pytest.raises(ConfigurationError, match=f"amends_archive is '{path}', .*{told}"):
        remove_ended(app)


class Basket(BaseModel):
    sale: str


class Bought(BaseModel):
    outcome: str
    error: str | None


basket_saga = Saga("basket", input=Basket, output=Bought, steps=[Child(sale_saga)])


def test_a_step_whose_childs_id_is_remembered_fails_and_charges_nothing(app, archive, sold):
    sold("b-1.sale")
    remove_ended(app)
    output = basket_saga.start(Basket(sale="b-1.sale"), saga_id="b-1").wait(timeout=5.0)
    assert (output.outcome, charges) == ("failed", ["b-1.sale"])
    assert "ended as completed at" in output.error
