"""The one reader of a record's fields."""

import re
from pathlib import Path

import amends
from amends.definition.states import RecordState
from amends.log.owner import Owner
from amends.log.record import Budget, HeldClaim, Record, open_fields

LETTERS = re.compile(r"""["'](?:[starupkbwxenocl])["']|\}\.[a-z]["']""")
FIELDS = {
    "status": "running",
    "reason": "",
    "states": "1=done,2=running",
    "claim": "2|3|1000|2500|token|worker:7:m|1",
    "2.a": "4",
    "2.r": "5",
    "2.u": "1",
    "2.p": "2",
    "2.k": "3",
    "2.b": "1,1,2",
    "2.e": '{"type":"OSError","message":"gone"}',
    "1.x": '{"n":1}',
    "3u.w": "1500",
}


def test_a_record_that_runs_has_its_claim_and_counts():
    record = Record.read(open_fields(FIELDS), "2")
    assert record == Record(
        state=RecordState.RUNNING,
        was_touched=True,
        used=Budget(attempts=4, deaths=2, unregistered=3),
        renewed=Budget(attempts=1, deaths=1, unregistered=2),
        worker_deaths=0,
        tries=5,
        is_unknown=True,
        waits_until=None,
        signals=0,
        output=None,
        error="OSError: gone",
        frame=None,
        circuit=None,
        claim=HeldClaim(
            token="token",
            owner=Owner(worker="worker", pid="7", message="m|1"),
            claimed_at=1.0,
            given_up_at=2.5,
        ),
    )
    assert record.used.since(record.renewed) == Budget(attempts=3, deaths=1, unregistered=1)


def test_a_record_that_ended_has_its_output_and_no_claim():
    record = Record.read(open_fields(FIELDS), "1")
    assert (record.state, record.output, record.claim) == (RecordState.DONE, '{"n":1}', None)


def test_a_record_without_a_state_was_not_touched_and_is_pending():
    record = Record.read(open_fields(FIELDS), "3u")
    assert (record.state, record.was_touched, record.waits_until) == (
        RecordState.PENDING,
        False,
        1.5,
    )


def test_an_empty_field_is_none():
    assert "reason" not in open_fields(FIELDS)


def test_no_other_module_reads_a_record_by_its_letters():
    root = Path(amends.__file__).parent
    found = [
        path.name
        for room in ("log", "saga", "diagnosis/saga", "worker", "telemetry")
        for path in (root / room).rglob("*.py")
        if LETTERS.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["record.py"]
