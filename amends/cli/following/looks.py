"""Look after look at one saga, also over an outage of the log."""

from collections.abc import Iterator, Sequence
from time import monotonic, sleep, time
from typing import Final

from amends.archive.lookup import examine_saga
from amends.cli.formatting import clock, duration
from amends.cli.output import Output
from amends.definition.states import ENDED, SagaStatus
from amends.errors import LogUnavailable
from amends.log.queries.children import ChildState
from amends.log.saga_state import Standing

_LOOK_EVERY: Final = 0.5  # seconds

Look = tuple[Standing, Sequence[ChildState]]
"""A saga, and its children."""


def looks(output: Output, saga_id: str, *, follow: bool) -> Iterator[Look]:
    """Look at a saga once; to `follow` it, again and again until it ends or is stuck.

    Once it was seen, a log that goes away is waited for, however long: standard error says since when it is away, and
    when it is back. Raises `UnknownSaga`, and `LogUnavailable` of the first look.
    """
    look = _look(output, saga_id)
    yield look
    while follow and look[0].entry.status not in {*ENDED, SagaStatus.STUCK}:
        sleep(_LOOK_EVERY)
        look = _look_in_the_end(output, saga_id)
        yield look


def _look(output: Output, saga_id: str) -> Look:
    standing = examine_saga(output.app, saga_id)
    return standing, output.log.children.read_children(standing.entry)


def _look_in_the_end(output: Output, saga_id: str) -> Look:
    """Look until the log answers."""
    lost_at: float | None = None
    while True:
        try:
            look = _look(output, saga_id)
        except LogUnavailable as error:
            if lost_at is None:
                lost_at = monotonic()
                at, told = clock(time(), time()), str(error).rstrip(".")
                text = f"Lost the saga log at {at}: {told}. Waiting for it; Ctrl-C ends this."
                output.line(text, err=True, fg="yellow")
            sleep(_LOOK_EVERY)
            continue
        if lost_at is not None:
            away = duration(monotonic() - lost_at)
            output.line(f"The saga log answers again, after {away}.", err=True, fg="green")
        return look
