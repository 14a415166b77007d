"""The demo's sagas while they run: which have come to rest, shown as a bar or as lines."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

# Sagas come to rest roughly in the order in which they were started, so looking at the oldest finds what there is to
# find, and a round costs the same however many orders there are.
LOOK_AT = 50
PAUSE = 0.1
LINE_EVERY = 2.0

ENDED = frozenset({"completed", "compensated"})
AT_REST = ENDED | {"stuck"}


class StepRecord(Protocol):
    """What the demo reads of one step."""

    @property
    def state(self) -> str:
        """Where the step is."""

    @property
    def channel(self) -> str | None:
        """The channel that served: ``primary`` or ``fallback``."""


class Snapshot(Protocol):
    """What the demo reads of a saga at rest."""

    @property
    def status(self) -> str:
        """Where the saga is."""

    @property
    def outcome(self) -> str | None:
        """What it came to, once at rest."""

    @property
    def steps(self) -> Mapping[str, StepRecord]:
        """The steps by name."""


class Handle(Protocol):
    """What the demo asks of a saga: the part of the engine's handle that it relies on."""

    @property
    def status(self) -> str:
        """Where the saga is."""

    @property
    def outcome(self) -> str | None:
        """What it came to, once at rest."""

    def snapshot(self) -> Snapshot:
        """Read it all at once."""


def await_rest(handles: Mapping[str, Handle], *, timeout: float, console: Console) -> None:
    """Show the sagas (by id) until all are at rest, or `timeout` seconds are over."""
    outcomes: Counter[str] = Counter()
    with _display(len(handles), console) as show:
        for arrived in _rounds(handles, timeout=timeout):
            outcomes.update(str(handle.outcome or handle.status) for handle in arrived)
            show(outcomes)


def _rounds(handles: Mapping[str, Handle], *, timeout: float) -> Iterator[list[Handle]]:
    """Yield, now and then, the sagas that have come to rest since."""
    deadline = time.monotonic() + timeout
    moving = dict(handles)
    while moving and time.monotonic() < deadline:
        looked_at = list(islice(moving, LOOK_AT))
        arrived = [saga_id for saga_id in looked_at if moving[saga_id].status in AT_REST]
        yield [moving.pop(saga_id) for saga_id in arrived]
        if not arrived:
            time.sleep(PAUSE)


@contextlib.contextmanager
def _display(total: int, console: Console) -> Iterator[Callable[[Counter[str]], None]]:
    """Yield what shows the counts: a bar on a terminal, elsewhere a line when there is news."""
    if not console.is_terminal:
        yield _Lines(total, console).show
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=total)

        def show(outcomes: Counter[str]) -> None:
            progress.update(bar, completed=outcomes.total(), description=_counts(outcomes))

        yield show


class _Lines:
    def __init__(self, total: int, console: Console) -> None:
        self._total = total
        self._console = console
        self._shown = 0
        self._at = time.monotonic()

    def show(self, outcomes: Counter[str]) -> None:
        ended, now = outcomes.total(), time.monotonic()
        due = now - self._at >= LINE_EVERY or ended == self._total
        if ended != self._shown and due:
            self._console.print(f"{ended}/{self._total}  {_counts(outcomes)}", soft_wrap=True)
            self._shown, self._at = ended, now


def _counts(outcomes: Counter[str]) -> str:
    return "  ".join(f"{outcome} {count}" for outcome, count in outcomes.most_common())
