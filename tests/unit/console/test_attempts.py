from amends.console.views.attempts import failures_of
from amends.log.history import Event


def failed(at, message, *, record="pay", name="step.retrying", **more):
    error = {"type": "ConnectionError", "message": message}
    return Event(name=name, at=at, record=record, details={"error": error}, **more)


def test_attempts_that_failed_alike_are_one_row_whatever_their_numbers():
    history = [failed(n, f"no answer within {n} ms from 0x{n:x}") for n in range(1, 20)]
    (row,) = failures_of(
        [*history, failed(20, "no answer within 7 ms from 0x1", name="step.stuck")]
    )
    assert (row.count, row.first_at, row.last_at) == (20, 1, 20)
    assert row.error == "ConnectionError: no answer within 7 ms from 0x1"


def test_another_error_and_another_record_are_rows_of_their_own():
    history = [
        failed(1, "away"),
        failed(2, "refused"),
        failed(3, "away", record="ship"),
        failed(4, "refused"),
    ]
    rows = failures_of(history)
    assert [(row.record, row.count) for row in rows] == [("pay", 1), ("pay", 2), ("ship", 1)]


def test_an_event_that_stands_for_many_counts_as_so_many():
    (row,) = failures_of([failed(9, "away", count=500, first_at=2.0), failed(10, "away")])
    assert (row.count, row.first_at, row.last_at) == (501, 2.0, 10)
