"""``saga stats``."""

import json

from sqlalchemy import MetaData, create_engine

from amends.outbox import table
from amends.outbox.entry import Entry
from amends.outbox.sqlalchemy_database import SQLAlchemyDatabase
from amends.outbox.sqlalchemy_table import outbox_table
from tests.unit.cli.visit import ERROR


def beat(moves, *, node: str) -> None:
    moves.log.workers.note_heartbeat(f"boot-of-{node}", [1, 2, 3], node=node)


def told(run, *options: str) -> dict:
    shown = run("stats", "--json", *options)
    assert shown.exit_code == 0, shown.stdout
    return json.loads(shown.stdout)


def test_sagas_are_counted_by_status(run, moves):
    moves.start("v-1", "v-2", "v-3")
    moves.be_stuck("v-4")
    moves.do("v-1", "room", "pay", "tell")
    moves.log.control.cancel_saga("v-2", error=ERROR, actor={})
    assert told(run)["sagas"] == [
        {"saga": "visit", "status": "compensated", "count": 1},
        {"saga": "visit", "status": "completed", "count": 1},
        {"saga": "visit", "status": "pending", "count": 1},
        {"saga": "visit", "status": "stuck", "count": 1},
    ]
    table = run("stats").output.splitlines()
    assert table[0].split() == [
        "saga",
        "pending",
        "running",
        "compensating",
        "stuck",
        "completed",
        "compensated",
    ]
    assert table[1].split() == ["visit", "1", "-", "-", "1", "1", "1"]


def test_live_sagas_are_counted_by_what_they_stand_at_the_stuck_ones_first(run, moves):
    moves.start("v-1", "v-2", "v-3")
    moves.be_stuck("v-4")
    moves.do("v-3", "room")
    document = told(run)
    assert document["standing"] == [
        {"saga": "visit", "status": "pending", "record": "room", "count": 2, "waiting": 0},
        {"saga": "visit", "status": "running", "record": "pay", "count": 1, "waiting": 0},
        {
            "saga": "visit",
            "status": "stuck",
            "record": "pay:fallback:undo",
            "count": 1,
            "waiting": 0,
        },
    ]
    assert not document["standing_is_cut"]
    table = run("stats").output.split("they stand at")[1].splitlines()[1:]
    assert [line.split() for line in table[:3]] == [
        ["pay:fallback:undo", "visit", "stuck", "1"],
        ["room", "visit", "pending", "2"],
        ["pay", "visit", "running", "1"],
    ]


def test_it_looks_at_so_many_and_says_so(run, moves):
    moves.start("v-1", "v-2", "v-3")
    document = told(run, "--most", "2")
    assert [each["count"] for each in document["standing"]] == [2]
    assert document["standing_is_cut"]
    shown = run("stats", "--most", "2").output
    assert "Of each status the 2 that are there longest; --most looks at more." in shown


def test_the_oldest_of_a_status_is_told_where_there_is_one(run, moves):
    moves.start("v-1")
    oldest = told(run)["oldest"]
    assert 0 <= oldest.pop("pending") < 60
    assert oldest == {"running": None, "compensating": None, "stuck": None}


def test_what_is_due_for_a_sweep_is_told(run, moves):
    moves.start("v-1")
    assert told(run)["due"] == 0
    moves.log.maintenance.put_back(["v-1"])
    assert told(run)["due"] == 1
    assert "1 due for a sweep, the first since " in run("stats").output


def test_workers_that_are_alive_are_named(run, moves):
    beat(moves, node="b@shop")
    beat(moves, node="a@shop")
    workers = told(run)["workers"]
    assert sorted((each["node"], each["processes"]) for each in workers) == [
        ("a@shop", 3),
        ("b@shop", 3),
    ]
    assert "2 workers are alive: a@shop, b@shop\n" in run("stats").output


def test_a_worker_that_is_silent_is_not_alive(run, moves, monkeypatch):
    beat(moves, node="a@shop")
    monkeypatch.setattr("amends.log.queries.census.DEAD_AFTER", -1.0)
    assert told(run)["workers"] == []


def test_without_a_worker_it_says_that_nothing_goes_on(run, moves):
    assert (
        "No worker is heard of: nothing goes on until one is started, or can write to the saga log.\n"
        in run("stats").output
    )


def test_an_empty_log_has_its_table_too(run):
    assert told(run)["sagas"] == []
    assert run("stats").stdout.startswith("saga ")


def test_what_stands_in_the_outbox_is_told(run, moves, app, tmp_path):
    assert told(run)["outbox"] == {"backlog": None, "reason": ""}
    assert "outbox" not in run("stats").stdout
    url = f"sqlite:///{tmp_path / 'shop.sqlite3'}"
    app.conf.amends_outbox_url = url
    try:
        assert "no table amends_outbox" in told(run)["outbox"]["reason"]
        assert "The outbox cannot be read" in run("stats").stdout
        metadata, engine = MetaData(), create_engine(url)
        outbox_table(metadata)
        metadata.create_all(engine)
        entries = [Entry.of(f"v-{n}", "visit", "{}", at=None, after=None) for n in range(3)]
        with SQLAlchemyDatabase(engine).transaction() as connection:
            for each in entries:
                table.write(connection, each, namespace="")
            table.postpone(connection, entries[0], due_at=0.0, error="no")
        assert told(run)["outbox"]["backlog"]["waiting"] == 2
        shown = run("stats").stdout
        assert "2 waiting in the outbox, the first since" in shown
        assert "1 failing in the outbox: see `saga doctor`" in shown
    finally:
        app.conf.amends_outbox_url = None
