"""Operations on many sagas: what went wrong with which, and an operator's act on all of them.

The command line, Django's admin and a console use these calls, and so may anybody. The reads need a Redis user that may only
read. All are for the current Celery app, unless one is given, and raise `LogUnavailable`::

    from dataclasses import replace

    from amends.operations import STUCK, BulkRun, Operation, QuerySource, find_causes

    for group in find_causes(app).groups:
        print(group.count, group.cause.saga, group.cause.record, group.cause.error)

    operation = Operation(act="retry", by="ada", why="the bank is back")
    run = BulkRun(operation=operation, source=QuerySource("retry", replace(STUCK, cause=group.cause.key)))
    for progress in run:
        print(progress.done, progress.after)
"""

from amends.log.control import Seen, new_act_id
from amends.log.queries.cause_groups import (
    STUCK,
    CauseGroup,
    CauseGroups,
    Count,
    count_sagas,
    find_causes,
)
from amends.log.queries.causes import Cause
from amends.log.queries.listing import Page, find_sagas
from amends.log.queries.query import Query
from amends.log.queries.summary import SagaSummary
from amends.operations.bulk_run import BulkRun, Progress
from amends.operations.named import perform
from amends.operations.sources import Batch, QuerySource, Source, TargetSource
from amends.saga.bulk import ActName, Operation, Result, Target, Verdict

__all__ = [
    "STUCK",
    "ActName",
    "Batch",
    "BulkRun",
    "Cause",
    "CauseGroup",
    "CauseGroups",
    "Count",
    "Operation",
    "Page",
    "Progress",
    "Query",
    "QuerySource",
    "Result",
    "SagaSummary",
    "Seen",
    "Source",
    "Target",
    "TargetSource",
    "Verdict",
    "count_sagas",
    "find_causes",
    "find_sagas",
    "new_act_id",
    "perform",
]
