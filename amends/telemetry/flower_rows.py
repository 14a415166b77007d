"""The row of a saga in Flower and its like: Celery's task events, as if the saga were a task.

Its id is the saga's and the root of its steps', its name is ``saga.<name>``. The row of a child has its parent's for parent and root. An event tells all that
there is to tell, so that a monitor that starts late, or loses one, has the row from the next. What
readers need of each kind is there: a runtime where it succeeded, an exception and a traceback where it
failed; some of them crash without.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from amends.definition.states import ENDED, SagaStatus
from amends.log.history import Event
from amends.log.observers import Transition

RUNNING: Final = ("task-received", "task-started")
"""Both, for monitors count the one against the other."""

_BEGINS_WAIT, _ENDS_WAIT = "step.waiting", "step.waited"
_ADOPTED: Final = "saga.adopted"

WITHIN_STATUS: Final = frozenset(
    {"saga.paused", "saga.resumed", _BEGINS_WAIT, _ENDS_WAIT, _ADOPTED}
)
"""The events that change a row where the saga's status stays."""

_ENTERED: Final = {
    SagaStatus.PENDING: ("task-sent",),
    SagaStatus.RUNNING: RUNNING,
    SagaStatus.COMPENSATING: ("task-compensating",),
    SagaStatus.COMPLETED: ("task-succeeded",),
    SagaStatus.COMPENSATED: (
        "task-compensated",
    ),  # failed would wake somebody, and nothing is wrong
    SagaStatus.STUCK: ("task-failed",),  # this is to wake somebody
}


class RowEvent(NamedTuple):
    """One of Celery's events: its type and its fields."""

    type: str
    fields: dict[str, Any]


def row_events(transition: Transition) -> Sequence[RowEvent]:
    """Tell what a transition changes in the saga's row: mostly nothing, else a few events for one message."""
    return [RowEvent(type_, _fields(type_, transition)) for type_ in _types(transition)]


def _types(transition: Transition) -> Sequence[str]:
    was, status, names = transition.was, transition.status, transition.names
    if "saga.paused" in names:
        return ("task-paused",)
    is_going_on = status not in (*ENDED, SagaStatus.STUCK)
    # Monitors leave a later state in the life of a task as it is, and take the parent.
    if _ADOPTED in names:
        return _ENTERED[SagaStatus.PENDING] if status is SagaStatus.PENDING else RUNNING
    begins, ends = _BEGINS_WAIT in names, _ENDS_WAIT in names  # both where its signals were there
    waiting = ("task-waiting",) if is_going_on and begins and not ends else ()
    goes_on = is_going_on and ("saga.resumed" in names or (ends and not begins))
    if was is status and not goes_on:
        return waiting
    # Monitors keep the later of two states in the life of a task (celery/events/state.py); a retry alone goes back.
    back = ("task-retried",) if goes_on or was is SagaStatus.STUCK else ()
    return (*back, *_ENTERED[status], *waiting)


def _fields(type_: str, transition: Transition) -> dict[str, Any]:
    at = transition.events[-1].at
    fields = {
        "uuid": transition.saga_id,
        "name": f"saga.{transition.saga}",
        "args": "()",
        "kwargs": repr({"saga_id": transition.saga_id}),
        "root_id": transition.parent or transition.saga_id,
        "retries": 0,
        "received": transition.created,  # what monitors sort by
        "timestamp": at,
    }
    if transition.parent:
        fields["parent_id"] = transition.parent
    if transition.status in ENDED:
        fields["runtime"] = at - transition.created
    for event in transition.events:
        if outcome := event.details.get("outcome"):
            fields["result"] = outcome
        elif event.name in (_BEGINS_WAIT, _ENDS_WAIT):
            fields["result"] = f"waits at {event.record}" if event.name == _BEGINS_WAIT else ""
    if type_ == "task-failed":
        fields |= _exception("SagaStuck", _reason(transition), transition)
    elif type_ == "task-retried":
        fields |= _exception("Retry", _act(transition.events[0]), transition)
    return fields


def _exception(kind: str, text: str, transition: Transition) -> dict[str, str]:
    errors = [
        f"{event.record}: {error['type']}"  # its message may tell what no monitor should
        for event in transition.events
        if (error := event.details.get("error"))
    ]
    told = [*errors, text, f"The whole of it: celery -A <app> saga history {transition.saga_id}"]
    return {"exception": f"{kind}({text!r})", "traceback": "\n".join(told)}


def _reason(transition: Transition) -> str:
    reasons = [event.details["reason"] for event in transition.events if event.name == "saga.stuck"]
    return str(reasons[-1]) if reasons else "it waits for an operator"


def _act(event: Event) -> str:
    by, why = event.details.get("by"), event.details.get("why")
    return event.name + (f" by {by}" if by else "") + (f": {why}" if why else "")
