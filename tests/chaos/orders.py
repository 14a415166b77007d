"""The orders of a run: placed over outages, followed until they are at rest."""

import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from amends import Handle, LogUnavailable, UnknownSaga
from demo.fulfilments import PlannedFulfilment
from demo.orders import PlannedOrder
from demo.verdict import AT_REST
from tests.chaos.approvals import Approvals

LOST = "lost"
"""The status of an order whose start was answered, and that the log does not know: a failover lost it."""

PLACERS = 4
AGAIN = 0.5


class Orders:
    """Every order of the run; `tell` is called with what becomes of each. From `close` on none is placed, or answered."""

    def __init__(self, planned: Sequence[PlannedOrder], tell: Callable[..., None]) -> None:
        self.approvals = Approvals(tell)
        self.planned = planned
        self.handles: dict[str, Handle[Any]] = {}  # of what was placed
        self.raised: list[str] = []  # by a start, but for `LogUnavailable`
        self._at_rest: set[str] = set()
        self._tell = tell
        self._closed = threading.Event()
        self._placers = ThreadPoolExecutor(PLACERS, thread_name_prefix="placer")

    def place(self, planned: PlannedOrder) -> None:
        """Place an order soon, in a thread: a start may wait for a broker that is away."""
        self._placers.submit(self._place, planned)

    def open_ids(self) -> list[str]:
        """Return the ids of the sagas that were placed and are not known to be at rest, oldest first."""
        return sorted({*self.handles} - self._at_rest)

    def choose_open(self, draw: int) -> str | None:
        """Choose an open saga; None if there is none."""
        ids = self.open_ids()
        return ids[draw % len(ids)] if ids else None

    @property
    def all_at_rest(self) -> bool:
        """Whether every order was placed and has come to rest."""
        return len(self._at_rest) == len(self.planned)

    def look(self) -> None:
        """Look which of the open sagas have come to rest. Raises `LogUnavailable`."""
        for saga_id in self.open_ids():
            try:
                status = str(self.handles[saga_id].status)
            except UnknownSaga:
                status = LOST
            if status in (*AT_REST, LOST):
                self._at_rest.add(saga_id)
                self._tell("order.at_rest", order=saga_id, status=status)

    def close(self) -> None:
        """Place no more."""
        self._closed.set()
        self.approvals.close()
        self._placers.shutdown(cancel_futures=True)

    def _place(self, planned: PlannedOrder) -> None:
        # A start is idempotent, so it is repeated while it is unknown whether it was written.
        while not self._closed.is_set():
            try:
                handle = planned.start()
            except LogUnavailable:
                self._closed.wait(AGAIN)
            except Exception as error:  # noqa: BLE001 - which is a finding, and the verdict tells
                self._tell("start.raised", order=planned.id, error=traceback.format_exc())
                self.raised.append(repr(error))
                self._closed.wait(AGAIN)
            else:
                self.handles[planned.id] = handle
                self._tell("order.placed", order=planned.id)
                if isinstance(planned, PlannedFulfilment) and planned.needs_approval:
                    self.approvals.ask(planned)
                return
