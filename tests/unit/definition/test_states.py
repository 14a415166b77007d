"""The states, their legal moves, and what a step's records add up to."""

import pytest

from amends.definition.states import (
    ENDED,
    RECORD_MOVES,
    SAGA_MOVES,
    RecordState,
    SagaStatus,
    StepState,
    step_state,
)

PENDING, RUNNING, DONE, FAILED, UNKNOWN, STUCK, SKIPPED, OMITTED, WAITING = RecordState


def test_every_status_has_its_moves():
    assert set(SAGA_MOVES) == set(SagaStatus)
    assert set(RECORD_MOVES) == set(RecordState)


def test_every_status_can_be_come_to():
    reached = frozenset().union(*SAGA_MOVES.values())
    assert set(SagaStatus) - reached == {SagaStatus.PENDING}


def test_what_ended_has_no_moves_and_stuck_has_not_ended():
    assert {"completed", "compensated"} == ENDED
    assert SAGA_MOVES[SagaStatus.COMPENSATED] == frozenset()
    # With the saga that it is a step of.
    assert SAGA_MOVES[SagaStatus.COMPLETED] == {SagaStatus.COMPENSATING}
    assert all(SAGA_MOVES[status] for status in set(SagaStatus) - ENDED)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("compensating", "running"),
        ("compensating", "completed"),
        ("running", "compensated"),
        ("stuck", "completed"),
        ("running", "pending"),
    ],
)
def test_there_is_no_way_round_an_undo(source, target):
    assert SagaStatus(target) not in SAGA_MOVES[SagaStatus(source)]


def test_the_words_are_those_that_others_rely_on():
    assert " ".join(SagaStatus) == "pending running compensating completed compensated stuck"
    assert " ".join(StepState) == (
        "pending running done failed unknown compensating compensated stuck skipped waiting"
    )
    assert set(RecordState) - {OMITTED} < set(StepState)


def told(state):
    return StepState.SKIPPED if state is OMITTED else StepState(state.value)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("state", RecordState)
def test_a_step_without_undos_is_where_its_record_is(state, backward):
    assert step_state(state, None, {}, backward=backward) == told(state)


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("state", RecordState)
def test_a_step_that_switched_is_where_its_fallback_is(state, backward):
    assert step_state(FAILED, state, {}, backward=backward) == told(state)


@pytest.mark.parametrize(
    ("fallback", "undos", "expected"),
    [
        (None, {"primary": PENDING}, "unknown"),
        (PENDING, {"primary": PENDING}, "pending"),
        (PENDING, {"primary": RUNNING}, "running"),
        (RUNNING, {"primary": DONE}, "running"),
        (DONE, {"primary": DONE}, "done"),
        (FAILED, {"primary": DONE, "fallback": PENDING}, "failed"),
    ],
)
def test_forward_a_void_belongs_to_the_switch(fallback, undos, expected):
    assert step_state(UNKNOWN, fallback, undos, backward=False) == expected


@pytest.mark.parametrize(
    ("fallback", "undos", "expected"),
    [
        (None, {"primary": PENDING}, "compensating"),
        (None, {"primary": RUNNING}, "compensating"),
        (None, {"primary": DONE}, "compensated"),
        (None, {"primary": SKIPPED}, "skipped"),
        (None, {"primary": STUCK}, "stuck"),
        (DONE, {"primary": DONE, "fallback": PENDING}, "compensating"),
        (DONE, {"primary": DONE, "fallback": RUNNING}, "compensating"),
        (DONE, {"primary": DONE, "fallback": DONE}, "compensated"),
        (DONE, {"primary": DONE, "fallback": SKIPPED}, "skipped"),
        (DONE, {"primary": DONE, "fallback": STUCK}, "stuck"),
        (DONE, {"primary": STUCK, "fallback": RUNNING}, "stuck"),
        (DONE, {"primary": STUCK, "fallback": SKIPPED}, "stuck"),
    ],
)
def test_backward_the_undos_say_where_a_step_is(fallback, undos, expected):
    assert step_state(DONE, fallback, undos, backward=True) == expected
