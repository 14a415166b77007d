"""An explanation in sentences: what a saga is at, what comes of it, and what an operator's acts would do."""

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from amends.cli.children.text import (
    child_prospects,
    is_for_child,
    parent_prospects,
    stuck_children,
    waits_for_child,
)
from amends.cli.explanation_reasons import record_name
from amends.cli.formatting import at_its_end, clock, duration, waits_for
from amends.cli.stage_text import (
    counts_line,
    each_at_hand,
    retry_sentence,
    says_counts,
    skip_sentence,
    some,
    undo_lines,
    undo_words,
)
from amends.definition.paths import without_item
from amends.diagnosis.saga.explanation import Explanation, Remedy
from amends.diagnosis.saga.record_facts import Situation
from amends.log.queries.open_waits import OpenWait

_LONG_OVERDUE: Final = 30.0


def headline(of: Explanation) -> str:
    """Say in one line what a saga is at."""
    if of.is_early and of.situation is not Situation.PAUSED:
        return f"It begins in {duration((of.begins_at or of.now) - of.now)}."
    if of.stage and says_counts(of):
        return f"{counts_line(of.stage)}{stuck_children(of)}"
    record = record_name(of.record) if of.record else ""
    return {
        Situation.RUNNING: f"{record} runs.",
        Situation.LOST: f"{record} was running, and nothing is heard of its process.",
        Situation.RETRYING: f"{record} waits for its next attempt.",
        Situation.DEFERRED: f"{record} waits for a circuit breaker.",
        Situation.QUEUED: f"{record} comes next; no worker has claimed it.",
        Situation.UNREGISTERED: f"{record} comes next, and a worker did not know its task.",
        Situation.WAITING: f"{record} waits for {_waits_for(of)}.",
        Situation.PAUSED: "It is paused.",
        Situation.STUCK: "It is stuck, and waits for an operator.",
        Situation.ENDED: "It has ended.",
    }[of.situation]


def is_long_overdue(of: Explanation) -> bool:
    """Tell whether no worker has looked at it for so long that none may be running."""
    return of.overdue > _LONG_OVERDUE


def prospects(of: Explanation) -> Iterator[str]:
    """Say what happens next by itself, and when; to what its children wait for, and to its parent, too."""
    yield from _own_prospects(of)
    for cause in of.causes:
        if cause.situation is not Situation.STUCK and not cause.pause:
            yield from (f"{cause.id}: {line}" for line in _own_prospects(cause))
    yield from parent_prospects(of)


def _own_prospects(of: Explanation) -> Iterator[str]:
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
    elif of.is_early:
        yield f"It begins {_when(of, of.begins_at or of.now)}, and holds no message until then."
    else:
        for before, each in each_at_hand(of):
            yield from (before + line for line in _next(each))
    if of.deadline_at and of.situation not in (Situation.STUCK, Situation.ENDED):
        yield f"If it has not ended by {clock(of.deadline_at, of.now)}{_in(of, of.deadline_at)}, it goes back."


def effects_of_a_cancel(of: Explanation) -> Iterator[str]:
    """Say what a cancel would undo, in order, and what it would leave."""
    if of.situation is Situation.ENDED:
        yield "Nothing: it has ended."
    elif of.cancel.pivot:
        yield f"Nothing: it is past {of.cancel.pivot}, its point of no return, or at it, and a cancel is refused."
    elif not of.cancel.is_possible:
        yield "Nothing: it goes back already."
    elif not of.cancel.undoes:
        yield "Nothing was done that has an undo: the saga would end."
    if any(undo.turn for undo in of.cancel.undoes):
        yield from undo_lines(of.cancel.undoes)
    else:
        for number, undo in enumerate(of.cancel.undoes, 1):
            yield f"{number}. {undo_words([undo])}"
    if of.cancel.keeps:
        kept = [some([*group]) for _, group in groupby(of.cancel.keeps, key=without_item)]
        yield f"Not undone, for no compensation is defined: {', '.join(kept)}."


def remedy_sentence(of: Explanation, remedy: Remedy) -> str:
    """Say what an act is good for here."""
    if remedy.act == "signal":
        return "Give it its signal:"
    if remedy.act == "skip" and (wait := wait_at(of, remedy.step)):
        return (
            "Let it go on without, with this for its output:"
            if wait.wanted
            else "Let it go on now:"
        )
    if remedy.act == "skip" and (of_items := skip_sentence(of, remedy)):
        return of_items
    if remedy.act == "skip":
        done = "done" if remedy.output_fields is not None else "undone or done"
        record = next((each for each in of.failures if each.step == remedy.step), of.record)
        if record and record.undoes:
            done = "undone"
        return f"Once you have {done} {remedy.step} by hand, let the saga pass over it:"
    if remedy.act == "retry":
        return retry_sentence(of) or _retry_of_one(of)
    return {
        "cancel": "Give it up, and undo what was done:",
        "pause": "Let nothing more of it begin for now:",
        "resume": "Let it go on:",
    }[remedy.act]


def _retry_of_one(of: Explanation) -> str:
    if of.situation is not Situation.STUCK:
        return "Try now:"
    if not of.failures:
        return "Once a worker can run it, retry with a fresh attempt budget:"
    failed = of.failures[0]
    if failed.is_child and not failed.undoes:
        return f"After fixing the cause, let {failed.step} start another child:"
    return "After fixing the cause, retry with a fresh attempt budget:"


def wait_at(of: Explanation, path: str | None) -> OpenWait | None:
    """Return the wait at a record that the explanation tells of, None where it has none there."""
    others = of.stage.others if of.stage else ()
    records = [of.record, *(each.record for each in others)]
    return next((each.waits_for for each in records if each and each.path == path), None)


def _waits_for(of: Explanation) -> str:
    if is_for_child(of):
        return waits_for_child(of)
    return waits_for(of.record.waits_for) if of.record and of.record.waits_for else ""


def _end_of_wait(of: Explanation, wait: OpenWait, after: str) -> Iterator[str]:
    """Say what ends a wait: its signals, or its time, if the saga's deadline does not come before."""
    if wait.wanted:
        yield f"It goes on once it has {'its signal' if wait.wanted == 1 else 'them'}.{after}"
    if wait.ends_at is None or (of.deadline_at is not None and of.deadline_at < wait.ends_at):
        return
    then = at_its_end(wait, has_passed_pivot=of.cancel.pivot is not None)
    without = "Else " if wait.wanted else ""
    told = f"{without}{then} {_when(of, wait.ends_at)}.{'' if wait.wanted else after}"
    yield told[0].upper() + told[1:]


def _next(of: Explanation) -> Iterator[str]:
    coming = of.remaining[1:2] if of.stage is None else [of.stage.then] if of.stage.then else []
    after = "".join(f" Then comes {each}." for each in coming if not of.pause)
    claim, wait, looked_at = of.claim, of.wait, of.looked_at
    if is_for_child(of):
        yield from child_prospects(of, after)
    elif of.situation is Situation.WAITING and of.record and of.record.waits_for:
        yield from _end_of_wait(of, of.record.waits_for, after)
    elif of.situation is Situation.RUNNING and claim:
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


def _in(of: Explanation, at: float) -> str:
    return f" (in {duration(at - of.now)})" if at > of.now else ""


def _when(of: Explanation, at: float) -> str:
    return f"at {clock(at, of.now)}{_in(of, at)}" if at > of.now else "within seconds"
