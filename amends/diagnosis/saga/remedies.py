"""The acts that an operator can take on a saga, the likeliest first."""

from collections.abc import Iterator, Sequence
from typing import Final

from amends.diagnosis.saga.explanation import CancelEffect, Record, Remedy, Role, Situation

_PAUSABLE: Final = frozenset(
    {Situation.RUNNING, Situation.LOST, Situation.QUEUED, Situation.UNREGISTERED}
)
_WAITING: Final = frozenset({Situation.RETRYING, Situation.DEFERRED})


def remedies(
    situation: Situation,
    record: Record | None,
    failures: Sequence[Record],
    cancel: CancelEffect,
    *,
    is_paused: bool,
) -> Iterator[Remedy]:
    """Yield the acts that the log would accept now."""
    if is_paused:
        yield Remedy(act="resume")
    if situation is Situation.STUCK or situation in _WAITING:
        yield Remedy(act="retry")
    if situation is Situation.STUCK:
        yield from _skips([*failures, *([record] if record else [])])
    elif (
        record
        and situation in _WAITING
        and record.role in (Role.COMPENSATION, Role.EARLY_COMPENSATION)
    ):
        yield from _skips([record])
    if cancel.is_possible:
        yield Remedy(act="cancel")
    if situation in _PAUSABLE and not is_paused:
        yield Remedy(act="pause")


def _skips(records: Sequence[Record]) -> Iterator[Remedy]:
    told = set()
    for record in records:
        if record.step in told or not (record.undoes or record.is_known):
            continue  # its output could not be judged here
        told.add(record.step)
        yield Remedy(act="skip", step=record.step, output_fields=record.output_fields)
