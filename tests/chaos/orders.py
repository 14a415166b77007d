"""The orders of a run: placed over outages, followed until they are at rest."""

import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from amends import Handle, LogUnavailable
from demo.plan import PlannedOrder
from demo.watching import AT_REST
from sagas.order import OrderResult, order_saga
from tasks.orders import Order
from tests.chaos.event_log import EventLog

PLACERS = 4
AGAIN = 0.5


class Orders:
    """Every order of the run. `ending` being set, what is not placed yet is given up."""

    def __init__(
        self, planned: Sequence[PlannedOrder], events: EventLog, ending: threading.Event
    ) -> None:
        self.planned = {order.order_id: order for order in planned}
        self.handles: dict[str, Handle[OrderResult]] = {}  # of what was placed
        self.at_rest: set[str] = set()
        self.raised: list[str] = []  # what a start raised that was no `LogUnavailable`
        self._events = events
        self._ending = ending
        self._lock = threading.Lock()
        self._placers = ThreadPoolExecutor(PLACERS, thread_name_prefix="placer")

    def place(self, order: PlannedOrder) -> None:
        """Place an order soon, in a thread: a start may wait for a broker that is away."""
        self._placers.submit(self._place, order)

    def open_ids(self) -> list[str]:
        """Return the ids of the sagas that were placed and are not known to be at rest, oldest first."""
        with self._lock:
            return sorted(self.handles.keys() - self.at_rest)

    def choose_open(self, draw: int) -> str | None:
        """Choose an open saga; None if there is none."""
        ids = self.open_ids()
        return ids[draw % len(ids)] if ids else None

    @property
    def all_at_rest(self) -> bool:
        """Whether every order was placed and has come to rest."""
        with self._lock:
            return len(self.at_rest) == len(self.planned)

    def look(self) -> None:
        """Look which of the open sagas have come to rest. Raises `LogUnavailable`."""
        for saga_id in self.open_ids():
            status = self.handles[saga_id].status
            if status in AT_REST:
                with self._lock:
                    self.at_rest.add(saga_id)
                self._events.write("order.at_rest", order=saga_id, status=str(status))

    def close(self) -> None:
        """Place no more."""
        self._placers.shutdown(cancel_futures=True)

    def _place(self, order: PlannedOrder) -> None:
        # A start is idempotent, so it is tried again where nobody knows whether it was written.
        while not self._ending.is_set():
            try:
                fields = Order.model_validate(order.fields())
                handle = order_saga.start(fields, saga_id=order.order_id)
            except LogUnavailable:
                self._ending.wait(AGAIN)
            except Exception as error:  # noqa: BLE001 - which is a finding, and the verdict tells
                text = traceback.format_exc()
                self._events.write("start.raised", order=order.order_id, error=text)
                with self._lock:
                    self.raised.append(repr(error))
                self._ending.wait(AGAIN)
            else:
                with self._lock:
                    self.handles[order.order_id] = handle
                self._events.write("order.placed", order=order.order_id)
                return
