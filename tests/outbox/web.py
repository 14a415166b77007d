"""A web process that takes orders, for ``python -m tests.outbox.web KIND ORDERS SEED KILLS PACE``.

It forks the process that takes them. That one kills itself at a boundary of some of the orders, and another goes on
with the next order. KIND is the library, and the dispatch of the sagas: ``session-chain``.
"""

import asyncio
import contextlib
import mmap
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import django
from django.conf import settings
from django.db import connections, transaction
from sqlalchemy import create_engine, insert, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from amends import Saga
from amends.outbox import delivery, table
from tests.outbox.shop import Order, orders, sagas

POINTS: Final = ("order", "insert", "commit", "delivery", "mark", "end")
"""A process is killed after the order's own row, the outbox's, the commit, the start in the log, the outbox's row is deleted."""
ROLLED_BACK: Final = 1 / 3


class RolledBackError(Exception):
    """The transaction of an order is rolled back."""


class Fate:
    """What becomes of the order at hand: the point at which its process is killed, and whether it is rolled back."""

    def __init__(self, seed: str, kills: float) -> None:
        chance = random.Random(seed)  # noqa: S311
        self.point = chance.choice(POINTS) if chance.random() < kills else None
        self.rolls_back = chance.random() < ROLLED_BACK

    @property
    def is_killed(self) -> bool:
        """Tell whether its process comes to the point at which it is killed."""
        return self.point in (("order", "insert", "end") if self.rolls_back else POINTS)

    def reach(self, point: str) -> None:
        """Kill this process if it was to be killed at a point."""
        if self.point == point:
            os.kill(os.getpid(), signal.SIGKILL)


class Web:
    """The process that takes orders."""

    def __init__(self, kind: str, seed: str, kills: float) -> None:
        self._library, _, dispatch = kind.partition("-")
        self._saga: Saga[Any, Any] = sagas[dispatch]  # type: ignore[index]
        self._kind, self._seed, self._kills = kind, seed, kills
        self._fate = Fate("", 0.0)
        self._watch_boundaries()

    def serve(self, begin: int, count: int, note: Callable[[int], None], pace: float) -> None:
        """Take the orders from one number on."""
        act = {"session": self._by_session, "core": self._by_core, "django": self._by_django}
        if self._library == "asyncio":
            asyncio.run(self._by_asyncio(begin, count, note, pace))
            return
        take = act[self._library]()
        for number in range(begin, count):
            note(number)
            with contextlib.suppress(RolledBackError):
                take(self._next(number))
            self._fate.reach("end")
            time.sleep(pace)

    def _next(self, number: int) -> Order:
        order_id = f"{self._kind}-{number}"
        self._fate = Fate(f"{self._seed}-{order_id}", self._kills)
        return Order(order_id=order_id)

    def _by_session(self) -> Callable[[Order], None]:
        engine = create_engine(f"postgresql+psycopg://{os.environ['DATABASE']}")

        def take(order: Order) -> None:
            with Session(engine) as session, session.begin():
                session.execute(insert(orders).values(order_id=order.order_id))
                self._fate.reach("order")
                self._saga.start_in(session, order, saga_id=order.order_id)
                self._end(order)

        return take

    def _by_core(self) -> Callable[[Order], None]:
        engine = create_engine(f"postgresql+psycopg://{os.environ['DATABASE']}")

        def take(order: Order) -> None:
            with engine.begin() as connection:
                connection.execute(insert(orders).values(order_id=order.order_id))
                self._fate.reach("order")
                self._saga.start_in(connection, order, saga_id=order.order_id)
                self._end(order)

        return take

    def _by_django(self) -> Callable[[Order], None]:
        def take(order: Order) -> None:
            with transaction.atomic():
                with connections["default"].cursor() as cursor:
                    cursor.execute("INSERT INTO orders VALUES (%s)", [order.order_id])
                self._fate.reach("order")
                self._saga.start_on_commit(order, saga_id=order.order_id)
                self._end(order)

        return take

    async def _by_asyncio(
        self, begin: int, count: int, note: Callable[[int], None], pace: float
    ) -> None:
        engine = create_async_engine(f"postgresql+asyncpg://{os.environ['DATABASE']}")
        for number in range(begin, count):
            note(number)
            order = self._next(number)
            try:
                async with AsyncSession(engine) as session, session.begin():
                    await session.execute(
                        text("INSERT INTO orders VALUES (:id)"), {"id": order.order_id}
                    )
                    self._fate.reach("order")
                    await self._saga.start_in(session, order, saga_id=order.order_id)
                    self._end(order)
            except RolledBackError:
                pass
            await asyncio.sleep(pace)
            self._fate.reach("end")

    def _end(self, order: Order) -> None:
        self._fate.reach("insert")
        if self._fate.rolls_back:
            raise RolledBackError(order.order_id)

    def _watch_boundaries(self) -> None:
        """Reach a point before each of the steps that follow a commit."""
        remove, start = table.remove, delivery.start_entry

        def started(*arguments: Any) -> None:
            self._fate.reach("commit")
            start(*arguments)
            self._fate.reach("delivery")

        def removed(*arguments: Any) -> None:
            remove(*arguments)
            self._fate.reach("mark")  # its transaction is open

        table.remove, delivery.start_entry = removed, started


def main(kind: str, count: int, seed: str, kills: float, pace: float) -> None:
    """Have the orders taken, by one process after another."""
    user, _, rest = os.environ["DATABASE"].partition("@")
    address, _, name = rest.partition("/")
    host, _, port = address.partition(":")
    database = {"ENGINE": "django.db.backends.postgresql", "USER": user, "NAME": name}
    settings.configure(DATABASES={"default": {**database, "HOST": host, "PORT": port}})
    django.setup()
    at = mmap.mmap(-1, 8)
    number = 0
    while number < count:
        child = os.fork()
        if child == 0:
            Web(kind, seed, kills).serve(
                number, count, lambda n: at.__setitem__(slice(0, 8), n.to_bytes(8)), pace
            )
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status == 0:
            return
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            sys.exit(f"the web process of {kind} ended with {status}")
        number = int.from_bytes(at[:8]) + 1


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4]), float(sys.argv[5]))
