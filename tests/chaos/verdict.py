"""The verdict over a run: order by order whether log and ledger agree, the faults, the longest standstill."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from amends.log.queries.lost_writes import LostWrite
from demo.verdict import count_table, outcomes_table, print_wrong
from tests.chaos.accounts import Account
from tests.chaos.order_verdict import OrderVerdict
from tests.chaos.outage_verdict import OutageVerdict, complaints_of, outages_table
from tests.chaos.standstill import Standstill

LONGEST_ALLOWED = 30.0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A whole run. `hit` and `missed` count the faults by kind: done, and found nothing to hit.

    `standstill` is the longest one, `gap` the longest time between two events whatever its cause. `outages` are
    those of the primary payment, in a run that is about them; `began` is in seconds since 1970. `lost` is what the log is
    known to have lost, as it may in a run that waits for no replica (`may_lose`). `accounts` are of orders chosen at random.
    """

    orders: Sequence[OrderVerdict]
    hit: Mapping[str, int]
    missed: Mapping[str, int]
    standstill: Standstill | None
    gap: Standstill | None
    ended_by_themselves: Sequence[str]
    starts_raised: Sequence[str]
    began: float
    elapsed: float
    outages: Sequence[OutageVerdict] | None = None
    lost: Sequence[LostWrite] = ()
    may_lose: bool = False
    accounts: Sequence[Account] = ()

    @property
    def wrong(self) -> list[OrderVerdict]:
        """The orders whose sagas did not end or that are inconsistent, without those whose loss is known and allowed."""
        named = {each.saga_id for each in self.lost if self.may_lose}
        return [each for each in self.orders if each.complaints and each.planned.id not in named]

    @property
    def is_consistent(self) -> bool:
        """Whether no order is wrong."""
        return not self.wrong

    @property
    def stood_still(self) -> bool:
        """Whether a saga stood still for too long."""
        return self.standstill is not None and self.standstill.seconds >= LONGEST_ALLOWED

    @property
    def let_through(self) -> list[str]:
        """What is wrong with the outages."""
        return [] if self.outages is None else complaints_of(self.outages)

    @property
    def findings(self) -> list[str]:
        """Why it did not pass, a line each."""
        stood = [f"a saga stood still: {self.standstill}"] if self.stood_still else []
        unaccounted = [finding for each in self.accounts for finding in each.findings]
        return [*map(str, self.wrong), *stood, *self.let_through, *unaccounted]

    @property
    def passed(self) -> bool:
        """Whether there are no findings."""
        return not self.findings


def print_verdict(verdict: Verdict, *, console: Console, directory: Path) -> None:
    """Print the tables, the longest standstill, what is wrong with which order, and the verdict."""
    kinds = sorted({*verdict.hit, *verdict.missed})
    faults = {kind: (verdict.hit.get(kind, 0), verdict.missed.get(kind, 0)) for kind in kinds}
    console.print(outcomes_table(verdict.orders))
    console.print(count_table("fault", "done", "found nothing to hit", rows=faults))
    if verdict.outages is not None:
        console.print(outages_table(verdict.outages, began=verdict.began))
    lines = [
        *verdict.let_through,
        *_losses(verdict),
        *(
            f"{program} ended by itself {count} times, and was started again"
            for program, count in Counter(verdict.ended_by_themselves).items()
        ),
        *(
            f"a start raised {error} {count} times, and was tried again"
            for error, count in Counter(verdict.starts_raised).items()
        ),
        *(finding for each in verdict.accounts for finding in each.findings),
        *map(str, verdict.accounts),
        f"longest gap between two events, whatever its cause: {verdict.gap or 'none'}",
        f"longest standstill: {verdict.standstill or 'none'}",
        f"{len(verdict.orders)} orders and {sum(verdict.hit.values())} faults in {verdict.elapsed:.0f} s",
        f"logs, events and histories are in {directory}",
    ]
    for line in lines:
        console.print(line, soft_wrap=True)
    if not print_wrong(verdict.orders, console) or verdict.is_consistent:
        style = "bold green" if verdict.passed else "bold red"
        console.print(_sentence(verdict), style=style, soft_wrap=True)


def write_histories(verdict: Verdict, directory: Path) -> None:
    """Write the history of each wrong order, and of the longest standstill and gap, to `directory`."""
    worst = {found.saga_id for found in (verdict.standstill, verdict.gap) if found is not None}
    worst |= {each.saga_id for each in verdict.accounts if each.findings}
    for order in verdict.orders:
        if order.complaints or order.planned.id in worst:
            told = ({**event.details, **vars(event)} for event in order.history)
            text = "".join(f"{json.dumps(each, default=str)}\n" for each in told)
            path = directory / f"history-{order.planned.id}.jsonl"
            path.write_text(text, encoding="utf-8")


def _losses(verdict: Verdict) -> Iterator[str]:
    if verdict.lost:
        sagas = {each.saga_id for each in verdict.lost}
        wrong = {order.planned.id for order in verdict.orders if order.complaints}
        yield (
            f"the log lost {len(verdict.lost)} transitions of {len(sagas)} sagas that it had acknowledged;"
            f" of {len(wrong)} contradictions {len(wrong & sagas)} are among them"
        )


def write_figures(verdict: Verdict, directory: Path) -> None:
    """Write what the run came to into ``figures.json``."""
    figures = {
        "passed": verdict.passed,
        "orders": len(verdict.orders),
        "contradictions": sum(bool(order.complaints) for order in verdict.orders),
        "faults": sum(verdict.hit.values()),
        "standstill": round(verdict.standstill.seconds, 1) if verdict.standstill else 0.0,
        "accounts": {each.saga_id: round(each.share, 4) for each in verdict.accounts},
        "findings": verdict.findings,
    }
    (directory / "figures.json").write_text(json.dumps(figures), encoding="utf-8")


def _sentence(verdict: Verdict) -> str:
    """Return the verdict over orders that are all consistent."""
    count = len(verdict.orders)
    if verdict.stood_still:
        return f"STOOD STILL: all {count} orders are consistent, but a saga stood still for {LONGEST_ALLOWED:g} s"
    if any(each.findings for each in verdict.accounts):
        return f"TIME UNACCOUNTED FOR: all {count} orders are consistent"
    if any(order.complaints for order in verdict.orders):
        return f"CONSISTENT BUT FOR WHAT IS KNOWN TO BE LOST: {count} orders"
    if verdict.let_through:
        return f"THE CIRCUIT DID NOT HOLD: all {count} orders are consistent"
    return f"all {count} sagas ended, log and ledger agree on every order, and none stood still for {LONGEST_ALLOWED:g} s"
