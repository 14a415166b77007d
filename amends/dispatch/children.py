"""Children of sagas: how they are started, cancelled and turned back, and how their ends come to their parents."""

from collections.abc import Callable
from typing import Any, Final

from celery import Celery
from pydantic_core import from_json

from amends.definition.itinerary import Itinerary
from amends.definition.paths import UNDO, child_id, tries_of_child
from amends.definition.serialization import canonical_json, error_json, fill
from amends.definition.sources import item_input
from amends.definition.states import ENDED, RecordState, SagaStatus
from amends.dispatch.messages import send_advance
from amends.errors import ActRefused, SagaAlreadyStarted, UnknownSaga, UnreadableData
from amends.log.answers import Advance, Continuation
from amends.log.delivery import NOWHERE, Delivery
from amends.log.in_flight import Attend, Dispatched, Ended
from amends.log.queries.output_fields import output_fields
from amends.log.saga_log import SagaLog, log_of
from amends.log.saga_state import Entry
from amends.traces.sagas import entered

Start = Callable[..., None]
"""Starts a saga of some definition: with the app, its id, the fields of its input, JSON data, and when it begins."""

STARTS: Final[dict[str, Start]] = {}
"""How the sagas that are defined in this process are started, by their names."""

_TURNED: Final = canonical_json(
    {"type": "ParentTurnedBack", "message": "the saga that it is a step of turned back"}
)


_LATER: Final = Delivery(text="+86400000", destination=NOWHERE)
"""In place of a first message: the saga begins in a day."""


def remember_start(saga: str, start: Start) -> None:
    """Keep how a saga is started, for those that it is a step of and for the outbox."""
    STARTS[saga] = start


def attend(
    app: Celery, saga_id: str, what: Attend, longest_wait: float, *, is_last: bool = True
) -> Dispatched:
    """Do what is to be done about a child; return what remains of its parent then, None unless `is_last`.

    Each deed may be done again: by a process that follows one that died, and after a failover that lost it.

    Raises `UnreadableData` where a child is to be started whose definition this process does not know.
    """
    log, path = log_of(app), what.path.removesuffix(UNDO)
    name = child_id(saga_id, path, what.tries)
    try:
        status = _do(app, name, saga_id, what)
    except (ValueError, SagaAlreadyStarted, ActRefused, UnknownSaga) as error:
        _refuse(log, saga_id, what, error)
    else:
        if status in ENDED and (what.deed != "turn" or status is not SagaStatus.COMPLETED):
            _tell(log, log.read_saga(name), saga_id, path)
    how: Any = {"longest_wait": longest_wait, "is_last": is_last}
    return log.note_child(saga_id, what.path, what.deed, **how)


def _do(app: Celery, name: str, saga_id: str, what: Attend) -> SagaStatus:
    """Do what is to be done about a child, and return its status as it was before."""
    log, path = log_of(app), what.path.removesuffix(UNDO)
    if what.deed == "start":
        return _started(app, name, saga_id, what)
    if what.deed == "turn":
        status = log.adopt_saga(name, saga_id, path)
        _go_on(app, name, log.turn_saga(name, error=_TURNED))
        return status
    try:
        status = log.adopt_saga(name, saga_id, path)
    except UnknownSaga:  # whoever is about to start it finds that it was cancelled
        saga = what.itinerary.records[what.path].step.child
        nothing = Itinerary(saga=saga.saga if saga else "", timeout=None, stages=(), output={})
        log.starts.start_saga(name, nothing, "{}", _LATER)
        status = log.adopt_saga(name, saga_id, path)
    if status not in ENDED:
        cancel = log.control.unlisted.cancel_saga
        _go_on(app, name, cancel(name, error=_TURNED, actor={"by": saga_id}))
    return status


def _started(app: Celery, name: str, saga_id: str, what: Attend) -> SagaStatus:
    """Start a child, or find it started: its input was valid then, whatever this process would say."""
    log = log_of(app)
    try:
        _start(app, name, what)
    except (ValueError, UnreadableData) as error:
        try:
            return log.adopt_saga(name, saga_id, what.path)
        except UnknownSaga:
            raise error from None
    return log.adopt_saga(name, saga_id, what.path)


def tell_parent(app: Celery, saga_id: str, ended: Ended) -> bool:
    """Tell the parent of a saga that this has ended. Returns whether the parent goes on."""
    log = log_of(app)
    child = log.read_saga(saga_id)
    if child.status not in ENDED:  # its parent turned it since, and is told when it ends again
        return False
    follows = _tell(log, child, ended.parent, ended.path)
    log.release_saga(saga_id, child.status)
    return isinstance(follows, Advance)


def _start(app: Celery, name: str, what: Attend) -> None:
    record = what.itinerary.records[what.path]
    saga = record.step.child.saga if record.step.child else ""
    if saga not in STARTS:
        raise UnreadableData(
            f"{what.path} is the saga {saga}, which this process does not know: import the module that defines it in every"
            " worker (Celery's imports)"
        )
    filled = item_input if record.is_for_items else fill
    with entered(app, what.trace):
        STARTS[saga](app, name, filled(record.inputs, what.sources))


def _refuse(log: SagaLog, saga_id: str, what: Attend, error: Exception) -> None:
    """Let a step fail whose child cannot be, or an undo whose child cannot be undone."""
    if what.deed == "cancel" and isinstance(
        error, ActRefused
    ):  # past its point of no return, it goes on
        return
    status, path = ("stuck" if what.deed == "turn" else "failed"), what.path.removesuffix(UNDO)
    told = from_json(error_json(error))
    if what.deed == "turn" and isinstance(error, UnknownSaga):
        record = log.read_saga(saga_id).records[path]
        if record.state is RecordState.SKIPPED:  # before there was a child: nothing is to be undone
            status = "compensated"
    log.end_child(saga_id, path, tries=what.tries, status=status, told=told)


def _tell(log: SagaLog, child: Entry, parent: str, path: str) -> Continuation:
    told: Any = {
        "type": "ChildTurnedBack",
        "message": f"{child.id} is {child.status}: {child.outcome}",
    }
    if child.status is SagaStatus.COMPLETED:
        told = output_fields(child)
    tries = tries_of_child(child.id, parent, path)
    return log.end_child(parent, path, tries=tries, status=child.status, told=told)


def _go_on(app: Celery, saga_id: str, follows: Continuation) -> None:
    if isinstance(follows, Advance):
        send_advance(app, saga_id, follows.number)
