"""An explanation in sentences."""

from collections.abc import Iterator
from typing import Final

from amends.cli.formatting import clock, duration
from amends.definition.itinerary import UNDO
from amends.diagnosis.saga.explanation import (
    Claim,
    Explanation,
    Message,
    OperatorAction,
    Record,
    Remedy,
    Role,
    Situation,
)

_LONG_OVERDUE: Final = 30.0
_DEEDS: Final = {
    "saga.cancelled": "cancelled it",
    "saga.retried": "let it try again",
    "saga.paused": "paused it",
    "saga.resumed": "resumed it",
    "step.skipped": "skipped",
}
_MOST_DEEDS: Final = 5


def headline(of: Explanation) -> str:
    """Say in one line what a saga is at."""
    record = _name(of.record) if of.record else ""
    return {
        Situation.RUNNING: f"{record} runs.",
        Situation.LOST: f"{record} was running, and nothing is heard of its process.",
        Situation.RETRYING: f"{record} waits for its next attempt.",
        Situation.DEFERRED: f"{record} waits for a circuit breaker.",
        Situation.QUEUED: f"{record} comes next; no worker has claimed it.",
        Situation.UNREGISTERED: f"{record} comes next, and a worker did not know its task.",
        Situation.PAUSED: "It is paused.",
        Situation.STUCK: "It is stuck, and waits for an operator.",
        Situation.ENDED: "It has ended.",
    }[of.situation]


def reasons(of: Explanation) -> Iterator[str]:
    """Say why it is there."""
    if of.turn:
        error = f": {_flat(of.turn.error)}" if of.turn.error else ""
        yield f"It turned back at {_since(of, of.turn.at)}, as {of.turn.outcome}{error}."
    for action in of.actions[-_MOST_DEEDS:]:
        yield _action(of, action)
    if of.replicas_missing:
        yield f"The Redis that has it lacks {of.replicas_missing} of the replicas that amends_wait_replicas waits for: no transition is answered until they are back."
    if of.situation is Situation.STUCK:
        yield from _why_stuck(of)
    elif of.situation is Situation.ENDED:
        what = "every effect is undone" if of.turn else "every step took effect, or was passed over"
        yield f"It ended at {_since(of, of.ended_at or of.since)}, as {of.outcome}: {what}."
    elif of.record:
        yield from _why_at(of, of.record)
    if of.pause and of.situation is not Situation.PAUSED:
        yield "It is paused: what runs may end, and nothing begins after it."


def is_long_overdue(of: Explanation) -> bool:
    """Tell whether no worker has looked at it for so long that none may be running."""
    return of.overdue > _LONG_OVERDUE


def prospects(of: Explanation) -> Iterator[str]:
    """Say what happens next by itself, and when."""
    if is_long_overdue(of):
        yield f"No worker has looked at it for {duration(of.overdue)}, though it is due: is any worker running?"
    if of.situation is Situation.STUCK:
        yield "Waiting for an operator."
        if of.looked_at:
            yield f"It goes on by itself if a worker that looks at it can run it; the next look is {_when(of, of.looked_at)}."
    elif of.situation is Situation.ENDED:
        yield "Nothing more."
    elif of.pause and of.situation is not Situation.RUNNING:
        yield "Nothing begins until an operator resumes it."
    else:
        yield from _next(of)
    if of.deadline_at and of.situation not in (Situation.STUCK, Situation.ENDED):
        yield f"If it has not ended by {clock(of.deadline_at, of.now)}{_in(of, of.deadline_at)}, it goes back."


def effects_of_a_cancel(of: Explanation) -> Iterator[str]:
    """Say what a cancel would undo, in order, and what it would leave."""
    if of.situation is Situation.ENDED:
        yield "Nothing: it has ended."
    elif not of.cancel.is_possible:
        yield "Nothing: it goes back already."
    elif not of.cancel.undoes:
        yield "Nothing was done that has an undo: the saga would end."
    for number, undo in enumerate(of.cancel.undoes, 1):
        sure = "" if undo.is_certain else ", should it have taken effect"
        yield f"{number}. {undo.task} undoes {undo.undoes}{sure}"
    if of.cancel.keeps:
        yield f"Not undone, for no compensation is defined: {', '.join(of.cancel.keeps)}."


def remedy_sentence(of: Explanation, remedy: Remedy) -> str:
    """Say what an act is good for here."""
    if remedy.act == "skip":
        done = "done" if remedy.output_fields is not None else "undone or done"
        record = next((each for each in of.failures if each.step == remedy.step), of.record)
        if record and record.undoes:
            done = "undone"
        return f"Once you have {done} {remedy.step} by hand, let the saga pass over it:"
    if remedy.act == "retry":
        is_parked = of.situation is Situation.STUCK and not of.failures
        when = "Once a worker can run it" if is_parked else "After fixing the cause"
        is_waiting = of.situation is not Situation.STUCK
        return "Try now:" if is_waiting else f"{when}, retry with a fresh attempt budget:"
    return {
        "cancel": "Give it up, and undo what was done:",
        "pause": "Let nothing more of it begin for now:",
        "resume": "Let it go on:",
    }[remedy.act]


def _why_stuck(of: Explanation) -> Iterator[str]:
    for record in of.failures:
        count = "its only attempt" if record.attempts == 1 else f"{record.attempts} attempts"
        yield f"{_name(record)} failed for good after {count}: {_flat(record.error)}."
        key = f"{of.id}:{record.path.removesuffix(UNDO)}"
        yield f"It takes back what was done under the idempotency key {key}."
    if of.record:
        dropped = of.record.unregistered
        yield f"{_name(of.record)} cannot begin: {_flat(of.reason)}. It met {dropped} such workers."


def _why_at(of: Explanation, record: Record) -> Iterator[str]:
    if of.claim:
        yield from _why_claimed(of, record, of.claim)
    elif record.error:
        last = "" if of.circuit else f" The last one ended with {_flat(record.error)}."
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
    yield f"Attempt {record.attempts + 1}{of_most} began at {_since(of, claim.since)}{where}{message}."
    if record.error:
        yield f"The attempt before ended with {_flat(record.error)}."
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
    yield f"A message for it{count} was due at {_since(of, message.sent_at)}, and no worker has claimed it."
    if message.broker_error:
        yield f"The broker is away: {_flat(message.broker_error)}."
    elif message.holder:
        yield f"{message.holder} has fetched it, and is busy, or keeps to a rate limit."
    elif message.queue_length == 0:
        yield f"Queue {message.queue} is empty: a worker has just fetched the message, or it is lost."
    elif message.queue_length:
        yield f"Queue {message.queue} has {message.queue_length:,} waiting{'.' if of.replicas_missing else ': are its workers running, or busy?'}"


def _next(of: Explanation) -> Iterator[str]:
    after = "".join(f" Then comes {each}." for each in of.remaining[1:2] if not of.pause)
    claim, wait, looked_at = of.claim, of.wait, of.looked_at
    if of.situation is Situation.RUNNING and claim:
        limit, given_up = clock(claim.soft_limit_at, of.now), clock(claim.given_up_at, of.now)
        is_settling = of.turn and not of.pause and of.record and not of.record.undoes
        then = " The undo begins after it." if is_settling else after
        yield f"It may run until {limit}{_in(of, claim.soft_limit_at)}, and is given up at {given_up}.{then}"
    elif of.situation is Situation.LOST and looked_at:
        yield f"A worker's sweep takes it over {_when(of, looked_at)}, and it is tried again."
    elif wait:
        by = "" if wait.by == "message" else ", by a worker's sweep, for no message waits so long"
        yield f"It is tried again {_when(of, of.next_at or wait.until)}{by}.{after}"
    elif of.message and of.message.broker_error:
        yield "It is published again when the broker is back."
    elif of.next_at:
        again = "A worker may take it at any time. " if of.message else ""
        yield f"{again}If the message is lost, it is published again {_when(of, of.next_at)}."


def _circuit(of: Explanation) -> str:
    circuit = of.circuit
    if circuit is None or circuit.state is None:
        return f"Circuit breaker {circuit.name if circuit else ''} let no call through."
    by = f", by {circuit.by}" if circuit.by else ""
    why = f": {circuit.why}" if circuit.why else ""
    state = circuit.state.replace("_", " ")
    after = circuit.retry_after
    left = f" It may let one through in {duration(after)}." if after else ""
    return f"Circuit breaker {circuit.name} is {state} now{by}{why}.{left if circuit.state == 'open' else ''}"


def _action(of: Explanation, action: OperatorAction) -> str:
    what = _DEEDS[action.name] + (f" {action.record}" if action.record else "")
    why = f": {_flat(action.why)}" if action.why else ""
    return f"{action.by or 'An operator'} {what} at {_since(of, action.at)}{why}."


def _name(record: Record) -> str:
    target = record.path.removesuffix(UNDO)
    if record.role is Role.STEP:
        return record.path
    if record.role is Role.FALLBACK:
        return f"The fallback of {record.step} ({record.task})"
    before = ", before its fallback begins," if record.role is Role.EARLY_COMPENSATION else ""
    return f"The undo of {target} ({record.task}){before}"


def _attempts(record: Record) -> str:
    return f"{record.attempts}{f' of {record.max_attempts}' if record.max_attempts else ''}"


def _flat(text: str | None) -> str:
    return " ".join((text or "nobody knows what").split()).rstrip(".")


def _since(of: Explanation, at: float) -> str:
    return f"{clock(at, of.now)} ({duration(of.now - at)} ago)"


def _in(of: Explanation, at: float) -> str:
    return f" (in {duration(at - of.now)})" if at > of.now else ""


def _when(of: Explanation, at: float) -> str:
    return f"at {clock(at, of.now)}{_in(of, at)}" if at > of.now else "within seconds"
