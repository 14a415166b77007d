"""The acts that an operator can take on a saga, the likeliest first."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from amends.definition.paths import without_item
from amends.diagnosis.saga.explanation import CancelEffect, Remedy
from amends.diagnosis.saga.record_facts import Record, Role, Situation, StageFacts

_PAUSABLE: Final = frozenset(
    {
        Situation.RUNNING,
        Situation.LOST,
        Situation.QUEUED,
        Situation.UNREGISTERED,
        Situation.WAITING,
    }
)
_WAITING: Final = frozenset({Situation.RETRYING, Situation.DEFERRED})
_UNDOS: Final = (Role.COMPENSATION, Role.EARLY_COMPENSATION)


def remedies(
    situation: Situation,
    records: Sequence[Record],
    failures: Sequence[Record],
    cancel: CancelEffect,
    *,
    is_paused: bool,
    stage: StageFacts | None,
) -> Iterator[Remedy]:
    """Yield the acts that the log would accept now.

    records: those that run or come next; of a stage of several branches the first ones.
    """
    situations = {situation, *(stage.at_hand if stage else ())}
    is_waiting = not situations.isdisjoint(_WAITING)
    has_failed = situation is Situation.STUCK or (stage is not None and stage.stuck > 0)
    if is_paused:
        yield Remedy(act="resume")
    for record in records:
        yield from _ends_of_wait(record)
    if has_failed or is_waiting:
        yield Remedy(act="retry")
    if has_failed:
        stands = situation is Situation.STUCK
        yield from _skips([*failures, *(records[:1] if stands else [])])
    elif situation in _WAITING and records[0].role in _UNDOS:
        yield from _skips(records[:1])
    if cancel.is_possible:
        yield Remedy(act="cancel")
    if not situations.isdisjoint(_PAUSABLE) and not is_paused:
        yield Remedy(act="pause")


def _ends_of_wait(record: Record) -> Iterator[Remedy]:
    """Yield what ends a wait before its time."""
    if record.waits_for and record.waits_for.wanted:
        yield Remedy(act="signal", step=record.path)
    if record.waits_for:
        yield Remedy(act="skip", step=record.path)


def _skips(records: Sequence[Record]) -> Iterator[Remedy]:
    """Yield a skip for each step; for one of which several items failed, of the first, and of all of them if they are undos."""
    told = set()
    many = Counter(without_item(step) for step in {record.step for record in records})
    for record in records:
        step = without_item(record.step)
        if step in told or not (record.undoes or record.is_known):
            continue  # its output could not be judged here
        told.add(step)
        if many[step] > 1 and record.undoes:
            yield Remedy(act="skip", step=step, output_fields=record.output_fields)
        yield Remedy(act="skip", step=record.step, output_fields=record.output_fields)
