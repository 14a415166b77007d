"""An explanation in sentences: what a saga's children keep it from, and what becomes of its parent."""

from collections.abc import Iterator

from amends.cli.formatting import at_a_failure, duration
from amends.definition.states import ENDED, SagaStatus
from amends.diagnosis.saga.explanation import Explanation
from amends.diagnosis.saga.kin import ChildFacts
from amends.diagnosis.saga.record_facts import Record, Situation


def is_for_child(of: Explanation) -> bool:
    """Tell whether a saga waits for a child at the record that is told of."""
    return of.situation is Situation.WAITING and of.record is not None and of.record.is_child


def waits_for_child(of: Explanation) -> str:
    """Say in a few words which child a saga waits for, or which one beneath it keeps both from going on."""
    cause, child = _cause(of), of.record.child if of.record else None
    if cause and (cause.situation is Situation.STUCK or cause.pause):
        return f"{cause.id}, which is {'stuck' if cause.situation is Situation.STUCK else 'paused'}"
    return f"its child {child.id}" if child else "its child, which is not started yet"


def stuck_children(of: Explanation) -> str:
    """Say which sagas are stuck that the branches of a stage wait for, a sentence after another; '' where none is."""
    stuck = [each.id for each in of.causes if each.situation is Situation.STUCK]
    return f" {', '.join(stuck)} {'is' if len(stuck) == 1 else 'are'} stuck." if stuck else ""


def child_reasons(of: Explanation, record: Record) -> Iterator[str]:
    """Say where the child of a record is, and what that waits for itself, down to the last."""
    child = record.child
    while child and child.status:
        yield f"{_stands(of, child)}."
        child = child.waits_for[0] if child.waits_for else None


def _stands(of: Explanation, child: ChildFacts) -> str:
    if child.status in ENDED:
        return f"{child.id} is {child.status}, and this saga hears of it within seconds"
    paused = " and paused" if child.is_paused else ""
    stands = (
        f"{child.id} has been {child.status}{paused} for {duration(of.now - (child.since or 0.0))}"
    )
    if child.waits_for:
        more = f" and {len(child.waits_for) - 1:,} more" if child.waits_for[1:] else ""
        return f"{stands}, and waits for its child {child.waits_for[0].id}{more}"
    at = f" at {child.record}" if child.record else ""
    error = f": {' '.join(child.error.split()).rstrip('.')}" if child.error else ""
    return f"{stands}{at}{error}"


def child_prospects(of: Explanation, after: str) -> Iterator[str]:
    """Say what ends the wait for a child.

    after: what comes next in the saga, a sentence.
    """
    cause, record = _cause(of), of.record
    if record is None or record.child is None:
        yield "A worker that knows its definition starts it."
    elif cause and cause.situation is Situation.STUCK:
        yield f"Nothing, until an operator repairs {cause.id}. Then it goes on by itself."
    elif cause and cause.pause:
        yield f"Nothing, until an operator resumes {cause.id}."
    elif of.turn:
        ended = "is undone" if record.undoes else "has ended"
        yield f"It goes on back once {record.child.id} {ended}."
    else:
        fails = record.child_failure and at_a_failure("this saga", record.child_failure)
        yield f"It goes on once {record.child.id} has completed; if that turns back, {fails}.{after}"


def _cause(of: Explanation) -> Explanation | None:
    """Return why the child does not go on that the present record waits for."""
    child = of.record.child if of.record else None
    ids = (child.id, f"{child.id}.") if child else ()
    found = (
        each for each in of.causes if ids and (each.id == ids[0] or each.id.startswith(ids[1]))
    )
    return next(found, None)


def parent_reasons(of: Explanation) -> Iterator[str]:
    """Say whose child a saga is."""
    if of.parent:
        where = of.parent.status or "no longer in the log"
        yield f"It is the child of {of.parent.id}, at its step {of.parent.step}. That saga is {where}."


def parent_prospects(of: Explanation) -> Iterator[str]:
    """Say what a saga's end does to its parent, and who may turn it once it has ended."""
    parent = of.parent
    if parent is None or parent.status is None:
        return
    if parent.is_waiting and of.situation is Situation.ENDED:
        yield f"{parent.id} hears of it within seconds."
    elif of.status is SagaStatus.COMPLETED:
        yield from _after_completion(of)
    elif parent.is_waiting and parent.failure:
        fails = at_a_failure(parent.id, parent.failure)
        if of.turn is None:
            yield f"Once this saga has completed, {parent.id} goes on with its output; if it turns back, {fails}."
        else:
            yield f"Once this saga is compensated, {fails}."
    elif parent.is_waiting:
        yield f"{parent.id} goes back, and waits for the end of this saga."


def can_be_turned_by_parent(of: Explanation) -> bool:
    """Tell whether a cancel of its parent would undo a saga that was completed."""
    failure = of.parent.failure if of.parent else None
    is_open = failure is not None and not failure.has_passed_pivot
    return of.status is SagaStatus.COMPLETED and is_open


def _after_completion(of: Explanation) -> Iterator[str]:
    if of.parent is None:
        return
    if of.parent.status in ENDED:
        yield f"{of.parent.id} has ended too: nobody can turn it back any more."
    elif can_be_turned_by_parent(of):
        yield f"Until {of.parent.id} has ended, that saga alone can undo it: it does so if it turns back."
    elif of.parent.failure:
        yield f"{of.parent.id} is past its point of no return, and undoes it no more."
    else:
        yield f"{of.parent.id} goes back, and undoes it in its turn."
