"""Why a saga is where it is, in sentences."""

from collections.abc import Iterator
from typing import Final

from amends.cli.children.text import child_reasons, is_for_child, parent_reasons
from amends.cli.formatting import clock, duration
from amends.cli.stage_text import each_at_hand, stage_reasons, told_failures, untold
from amends.definition.paths import UNDO
from amends.diagnosis.saga.explanation import Explanation, OperatorAction
from amends.diagnosis.saga.record_facts import Claim, Message, Record, Role, Situation
from amends.log.record import located

_DEEDS: Final = {
    "saga.cancelled": "cancelled it",
    "saga.retried": "let it try again",
    "saga.paused": "paused it",
    "saga.resumed": "resumed it",
    "step.skipped": "skipped",
    "step.signalled": "signalled",
}
_MOST_DEEDS: Final = 5


def reasons(of: Explanation) -> Iterator[str]:
    """Say why it is there."""
    yield from parent_reasons(of)
    if of.turn:
        error = f": {_located(of.turn.error, of.turn.frame)}" if of.turn.error else ""
        yield f"It turned back at {since(of, of.turn.at)}, as {of.turn.outcome}{error}."
    for action in of.actions[-_MOST_DEEDS:]:
        yield _action(of, action)
    if of.replicas_missing:
        yield f"The Redis that has it lacks {of.replicas_missing} of the replicas that amends_wait_replicas waits for: no transition is answered until they are back."
    if of.situation is Situation.STUCK:
        yield from _why_stuck(of)
    elif of.situation is Situation.ENDED:
        what = (
            "every effect that has a compensation is undone"
            if of.turn
            else "every step took effect, or was passed over"
        )
        yield f"It ended at {since(of, of.ended_at or of.since)}, as {of.outcome}: {what}."
    elif of.is_early:
        yield f"Its start was delayed to {clock(of.begins_at or of.now, of.now)}."
    else:
        yield from _why_here(of)
    if of.pause and of.situation is not Situation.PAUSED:
        yield "It is paused: what runs may end, and nothing begins after it."


def _why_here(of: Explanation) -> Iterator[str]:
    if of.stage:
        yield from stage_reasons(of, of.stage)
        yield from _why_failed(of)
    for before, each in each_at_hand(of):
        if each.record:
            yield from (before + line for line in _why_at(each, each.record))
    yield from untold(of)


def _why_failed(of: Explanation) -> Iterator[str]:
    told = told_failures(of.failures)
    for record in told:
        if record.is_child:
            yield f"{record_name(record)} failed: {_located(record.error, record.frame)}."
            continue
        count = "its only attempt" if record.attempts == 1 else f"{record.attempts} attempts"
        yield f"{record_name(record)} failed for good after {count}: {_located(record.error, record.frame)}."
        key = f"{of.id}:{record.path.removesuffix(UNDO)}"
        if record.undoes:
            yield f"It takes back what was done under the idempotency key {key}."
    if len(of.failures) > len(told):
        yield f"So did {len(of.failures) - len(told):,} more; `show --json` has all."


def _why_stuck(of: Explanation) -> Iterator[str]:
    yield from _why_failed(of)
    if of.record:
        dropped = of.record.unregistered
        yield f"{record_name(of.record)} cannot begin: {_flat(of.reason)}. It met {dropped} such workers."


def _why_at(of: Explanation, record: Record) -> Iterator[str]:
    if is_for_child(of):
        yield from child_reasons(of, record)
    elif of.claim:
        yield from _why_claimed(of, record, of.claim)
    elif record.error:
        last = (
            ""
            if of.circuit
            else f" The last one ended with {_located(record.error, record.frame)}."
        )
        yield f"Attempts spent: {_attempts(record)}.{last}"
    if record.deaths:
        yield f"{record.deaths} of its processes died; after {record.poison_after} it is not tried again."
    if of.circuit:
        yield _circuit(of)
    if of.message:
        yield from _why_queued(of, of.message)
    if of.is_taken is False:
        yield f"No live worker knows {record.task} and consumes its queue."
    if of.situation is Situation.UNREGISTERED and of.is_taken:
        yield f"Its last message met a worker that does not know {record.task}. A live worker does."
    elif of.situation is Situation.UNREGISTERED:
        yield f"{record.unregistered} of {record.poison_after} messages met a worker that does not know {record.task}."


def _why_claimed(of: Explanation, record: Record, claim: Claim) -> Iterator[str]:
    of_most = f" of {record.max_attempts}" if record.max_attempts else ""
    where = f" in process {claim.pid} of {claim.worker or 'a worker'}" if claim.pid else ""
    message = f" (message {claim.message})" if claim.message else ""
    yield f"Attempt {record.attempts + 1}{of_most} began at {since(of, claim.since)}{where}{message}."
    if record.error:
        yield f"The attempt before ended with {_located(record.error, record.frame)}."
    if claim.lost == "death":
        yield "That process is dead, or cannot write to the saga log."
    elif claim.lost:
        yield "That process lives, and no longer has the message."
    elif claim.heartbeat_age is not None:
        yield f"The last heartbeat of that worker is {duration(claim.heartbeat_age)} old."
    elif claim.pid:
        yield "That worker has no heartbeat."


def _why_queued(of: Explanation, message: Message) -> Iterator[str]:
    count = "" if message.dispatches <= 1 else f", the {message.dispatches}th"
    yield f"A message for it{count} was due at {since(of, message.sent_at)}, and no worker has claimed it."
    if message.broker_error:
        yield f"The broker is away: {_flat(message.broker_error)}."
    elif message.holder:
        yield f"{message.holder} has fetched it, and is busy, or keeps to a rate limit."
    elif message.queue_length == 0:
        yield f"Queue {message.queue} is empty: a worker has just fetched the message, or it is lost."
    elif message.queue_length:
        yield f"Queue {message.queue} has {message.queue_length:,} waiting{'.' if of.replicas_missing else ': are its workers running, or busy?'}"


def _circuit(of: Explanation) -> str:
    circuit = of.circuit
    if circuit is None or circuit.state is None:
        return f"Circuit breaker {circuit.name if circuit else ''} let no call through."
    by = f", by {circuit.by}" if circuit.by else ""
    why = f": {circuit.why}" if circuit.why else ""
    state = circuit.state.replace("_", " ")
    after = circuit.retry_after
    left = f" It may let one through in {duration(after)}." if after else ""
    if circuit.forced_until is not None:
        left = f" That ends by itself in {duration(circuit.forced_until - of.now)}."
    elif circuit.state != "open":
        left = ""
    return f"Circuit breaker {circuit.name} is {state} now{by}{why}.{left}"


def _action(of: Explanation, action: OperatorAction) -> str:
    what = _DEEDS[action.name] + (f" {action.record}" if action.record else "")
    why = f": {_flat(action.why)}" if action.why else ""
    nobody = "Somebody" if action.name == "step.signalled" else "An operator"
    return f"{action.by or nobody} {what} at {since(of, action.at)}{why}."


def record_name(record: Record) -> str:
    """Name a record for people."""
    target = record.path.removesuffix(UNDO)
    if record.is_child:
        return f"The undo of {target}" if record.undoes else target
    if record.role is Role.STEP:
        return record.path
    if record.role is Role.FALLBACK:
        return f"The fallback of {record.step} ({record.task})"
    before = ", before its fallback begins," if record.role is Role.EARLY_COMPENSATION else ""
    return f"The undo of {target} ({record.task}){before}"


def _attempts(record: Record) -> str:
    return f"{record.attempts}{f' of {record.max_attempts}' if record.max_attempts else ''}"


def _located(error: str | None, frame: str | None) -> str:
    """Write an error with where it was raised."""
    return _flat(located(error or "", frame))


def _flat(text: str | None) -> str:
    return " ".join((text or "nobody knows what").split()).rstrip(".")


def since(of: Explanation, at: float) -> str:
    """Tell when something was, and how long ago."""
    return f"{clock(at, of.now)} ({duration(of.now - at)} ago)"
