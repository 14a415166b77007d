"""What the pages read of the log, and do to it: blocking calls in a few threads of their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from celery import Celery

from amends.asynchronous.threads import NoThread, Threads
from amends.backend.celery_apps import current
from amends.diagnosis.saga.explain import explain
from amends.diagnosis.saga.explanation import Explanation
from amends.diagnosis.saga.times.accounting import times_of
from amends.diagnosis.saga.times.segments import Times
from amends.errors import LogUnavailable
from amends.log.queries.children import ChildState
from amends.log.saga_log import log_of
from amends.log.saga_state import Standing
from amends.operations import Operation, Page, Query, Result, Target, find_sagas, perform

Answer = TypeVar("Answer")

READS: Final = Threads("amends-console", at_most=4)
"""Those of all pages: a log that is away holds up no more than these."""
ACTS: Final = Threads("amends-console-acts", at_most=2)
"""Those of acts, which publish messages too: a broker that hangs holds up no page that only shows."""
DOCTOR: Final = Threads("amends-console-doctor", at_most=1)
"""That of the doctor, which takes seconds."""


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A saga at one moment."""

    standing: Standing
    children: Sequence[ChildState]
    explanation: Explanation
    times: Times


class Reads:
    """The log of an app, for coroutines. Its methods raise what the engine does, and `LogUnavailable` where no thread is free."""

    def __init__(self, app: Celery) -> None:
        self.app = app

    async def ask(self, call: Callable[[], Answer], *, threads: Threads = READS) -> Answer:
        """Make a blocking call in a thread, with the app as its current one."""
        try:
            return await threads.run(partial(self._under_app, call))
        except NoThread as error:
            raise LogUnavailable(f"{error} of the saga log", refused=True) from error

    def _under_app(self, call: Callable[[], Answer]) -> Answer:
        with current(self.app):
            return call()

    async def find(self, query: Query, *, limit: int, after: str | None = None) -> Page:
        """Find a page of sagas, as `find_sagas` does."""
        return await self.ask(partial(find_sagas, self.app, query, limit=limit, after=after))

    async def examine(self, saga_id: str) -> "Examined":
        """Read a saga, its children, why it stands where it is, and where its time went."""

        def look() -> Examined:
            log = log_of(self.app)
            standing = log.examine_saga(saga_id)
            return Examined(
                standing=standing,
                children=log.children.read_children(standing.entry),
                explanation=explain(self.app, saga_id),
                times=times_of(self.app, standing),
            )

        return await self.ask(look)

    async def act(self, operation: Operation, target: Target) -> Result:
        """Act on one saga."""

        def do() -> Result:
            return next(iter(perform(operation, [target])))

        return await self.ask(do, threads=ACTS)
