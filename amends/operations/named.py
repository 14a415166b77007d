"""An operator's act on named sagas, one by one."""

from collections.abc import Iterator, Sequence

from celery.app import app_or_default

from amends.saga.bulk import Line, Operation, Result, Target, Verdict, perform_one
from amends.saga.bulk_entry import BulkEntry


def perform(operation: Operation, targets: Sequence[Target]) -> Iterator[Result]:
    """Act on each saga of the current Celery app, in order, and yield the results one by one.

    Where the log goes away the rest is not tried; where the broker does, the sweep carries on. Several sagas are one entry of
    the list of acts, and so is a signal. Raises nothing of the engine's.
    """
    app = app_or_default()
    is_listed_by_saga = len(targets) == 1 and operation.act != "signal"
    is_away = False
    entry = BulkEntry(app, operation.listed, len(targets), off=is_listed_by_saga)
    with Line(app) as line, entry:
        for target in targets:
            if is_away:
                result = Result(id=target.id, verdict=Verdict.NOT_TRIED)
            else:
                result = perform_one(operation, target, line, is_listed=is_listed_by_saga)
            is_away |= result.verdict is Verdict.UNAVAILABLE
            entry.count([result.verdict])
            yield result
