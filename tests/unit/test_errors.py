"""The errors: one tree, rebuildable, each with a message that says what to do."""

import copy
import inspect
import pickle
import re

import pytest

import amends
from amends import errors
from amends.errors import SagaError

ERRORS = [
    errors.SagaError("anything"),
    errors.DefinitionError("step 'a': no"),
    errors.ConfigurationError("set amends_backend"),
    errors.SagaAlreadyStarted("order-1", "order"),
    errors.UnknownSaga("order-1"),
    errors.UnknownSchedule("nightly"),
    errors.SagaStuck("order-1", "b:undo failed for good"),
    errors.ActRefused("order-1", "skip", "b is running"),
    errors.UnreadableData("ship cannot read the stored input"),
    errors.LogUnavailable("connection refused"),
    errors.LogUnavailable("connection refused", "order-1"),
    errors.LogUnavailable("connection refused", "order-1", "3f2a"),
    errors.LogUnavailable("connection refused", saga_ids=["order-1", "order-2"], answered=1),
    errors.LogUnavailable("it is full (OOM)", "order-1", refused=True),
    errors.BarrierBusy("database is locked", "order-1:charge"),
    errors.BarrierBusy("database is locked"),
    errors.OutboxUnavailable("the database did not take the start"),
    errors.CircuitOpenError("payments", "half-open", 1.25),
    errors.ActivityError("MemoryError", "no room for the picture"),
    errors.Refused("no money"),
    errors.Refused(),
    errors.NotDone("away", 2.5),
    errors.NotDone(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "rebuild",
    [
        lambda error: type(error)(*error.args),
        lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301 - its own
        copy.copy,
    ],
    ids=["args", "pickle", "copy"],
)
def test_an_error_can_be_rebuilt_whole(error, rebuild):
    again = rebuild(error)
    assert isinstance(error, SagaError)
    assert again is not error
    assert type(again) is type(error)
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))


class Busy(errors.NotDone):
    def __init__(self, code=None):
        self.code = code  # and not a word to NotDone


def classes_of_the_module():
    return {
        name: each
        for name, each in vars(errors).items()
        if inspect.isclass(each) and each.__module__ == "amends.errors"
    }


def test_every_error_of_the_module_is_rebuilt_above():
    assert {type(error) for error in ERRORS} == set(classes_of_the_module().values())


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = re.findall(r"^[├└]── (\w+)", errors.__doc__, flags=re.MULTILINE)
    classes = classes_of_the_module()
    assert sorted(["SagaError", *drawn]) == sorted(classes)
    assert {classes[name].__bases__ for name in drawn} == {(SagaError,)}


def test_every_error_is_exported_and_no_other():
    exported = {name for name in amends.__all__ if name in classes_of_the_module()}
    assert exported == set(classes_of_the_module())


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            errors.SagaAlreadyStarted("order-1", "order"),
            (
                "saga 'order-1' was already started, as 'order', and not with this definition and input;"
                " start this one under another saga_id"
            ),
        ),
        (
            errors.UnknownSaga("order-1"),
            "there is no saga 'order-1' in the log; is amends_backend the right one?",
        ),
        (
            errors.SagaStuck("order-1", "b:undo failed for good"),
            "saga 'order-1' is stuck: b:undo failed for good; it waits for an operator",
        ),
        (
            errors.CircuitOpenError("payments", "open", 12.345),
            "circuit 'payments' is open; try again in 12.3 s",
        ),
        (
            errors.BarrierBusy("database is locked", "order-1:charge"),
            (
                "another transaction was in the way of the barrier's row of 'order-1:charge' (database is locked):"
                " roll back, and repeat the whole transaction"
            ),
        ),
        (errors.NotDone("connection refused", 3.0), "connection refused"),
        (errors.ActivityError("MemoryError", "no room"), "MemoryError: no room"),
        (errors.LogUnavailable("connection refused"), "connection refused"),
        (
            errors.LogUnavailable("connection refused", "order-1"),
            "connection refused; saga 'order-1' may have been started: repeat the start with this saga_id, and it is started once",
        ),
        (
            errors.LogUnavailable("connection refused", "order-1", "3f2a"),
            "connection refused; the act on saga 'order-1' may be in the log: repeat it with the act id 3f2a, and it is done once",
        ),
        (
            errors.LogUnavailable("it is full (OOM)", "order-1", refused=True),
            "it is full (OOM); saga 'order-1' was not started: repeat the start with this saga_id, and it is started once",
        ),
        (
            errors.LogUnavailable("it is full (OOM)", "order-1", "3f2a", refused=True),
            "it is full (OOM); the act on saga 'order-1' is not in the log: repeat it with the act id 3f2a, and it is done once",
        ),
        (
            errors.LogUnavailable(
                "connection refused", saga_ids=["order-1", "order-2"], answered=1
            ),
            "connection refused; 1 of 2 starts were answered, the others may be in the log: repeat the call with this error's saga_ids, and each is started once",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_message_says_what_is_wrong_and_what_to_do(error, text):
    assert str(error) == text


def test_not_done_asks_for_no_wait_unless_told():
    assert errors.NotDone("away").retry_after == 0.0
    assert Busy(503).retry_after == 0.0
    assert (str(Busy(503)), str(Busy())) == ("503", "")
    assert errors.NotDone("away", retry_after=4.0).retry_after == 4.0


@pytest.mark.parametrize("retry_after", [None, -1, float("inf"), float("nan"), "7"])
def test_a_wait_that_is_none_is_refused_where_it_is_raised(retry_after):
    with pytest.raises(ValueError, match="NotDone: retry_after is "):
        errors.NotDone("away", retry_after)
