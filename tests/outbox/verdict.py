"""What is wrong after a run; nothing, if each committed order has its saga, once, and no other order has one."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from celery import Celery
from rich.console import Console
from sqlalchemy import Engine, text

from amends import UnknownSaga
from amends.log.saga_log import log_of

SHOWN = 10
STEPS = ("charge", "ship")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found: `figures` to read, `wrong` by kind of fault."""

    figures: Sequence[str]
    wrong: Mapping[str, Sequence[str]]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.wrong.values())

    def print(self, console: Console) -> None:
        """Print the figures, what is wrong, and the verdict."""
        for line in self.figures:
            console.print(line)
        for kind, found in self.wrong.items():
            for line in found[:SHOWN]:
                console.print(f"{kind}: {line}")
            if len(found) > SHOWN:
                console.print(f"{kind}: {len(found)} in all")
        told = "each order has its saga, once" if self.passed else "A START WAS LOST OR DOUBLED"
        console.print(told, style="bold green" if self.passed else "bold red")


def judge(app: Celery, engine: Engine, *, happened: str) -> Verdict:
    """Compare the orders of the database with the sagas of the log.

    happened: what the run went through, for its figures.
    """
    with engine.connect() as connection:
        orders = set(connection.execute(text("SELECT order_id FROM orders")).scalars())
        effects = Counter(
            tuple(row) for row in connection.execute(text("SELECT step, order_id FROM effects"))
        )
        left = list(connection.execute(text("SELECT saga_id, error FROM amends_outbox")))
    log = log_of(app)
    statuses = {each: _status(log, each) for each in orders}
    starts = sum(
        count for words, count in log.read_counters().items() if words[1] == "saga.started"
    )
    there = sum(status is not None for status in statuses.values())
    return Verdict(
        figures=(f"{len(orders)} orders committed, {starts} sagas started, {happened}",),
        wrong={
            "lost": [each for each, status in statuses.items() if status is None],
            "not completed": [
                f"{each} is {status}"
                for each, status in statuses.items()
                if status not in {None, "completed"}
            ],
            "ghosts, or started twice": [f"{starts} starts"] if starts != there else [],
            "ghost": sorted({order for _, order in effects} - orders),
            "effect twice": [f"{each}, {n} times" for each, n in effects.items() if n > 1],
            "effect missing": [
                f"{step} of {each}" for each in orders for step in STEPS if not effects[step, each]
            ],
            "left in the outbox": [f"{saga_id}: {error}" for saga_id, error in left],
        },
    )


def _status(log: object, saga_id: str) -> str | None:
    try:
        return str(log.read_status(saga_id))  # type: ignore[attr-defined]
    except UnknownSaga:
        return None
