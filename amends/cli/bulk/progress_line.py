"""One line that says how far an act on many sagas is."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import click

from amends.saga.bulk import Verdict

_EACH: Final = 5.0  # seconds between two lines, where none can be rewritten
_SOON: Final = 0.2  # seconds between two looks of one that is rewritten
_CLEAR: Final = "\r\x1b[K"


class ProgressLine:
    """A line on standard error: on a terminal it is rewritten, elsewhere another one comes every five seconds.

    Nothing is shown of what is over before.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._is_rewritten = sys.stderr.isatty()
        self._each = _SOON if self._is_rewritten else _EACH
        self._next = clock() + self._each
        self._is_shown = False

    def show(self, text: str) -> None:
        """Show a text, unless another one was shown just now."""
        if (now := self._clock()) < self._next:
            return
        self._next = now + self._each
        self._is_shown = True
        click.echo(
            f"{_CLEAR}{text}" if self._is_rewritten else text, err=True, nl=not self._is_rewritten
        )

    def clear(self) -> None:
        """Take the line away, where it can be."""
        if self._is_shown and self._is_rewritten:
            click.echo(_CLEAR, err=True, nl=False)
        self._is_shown = False


@contextmanager
def progress_line() -> Iterator[ProgressLine]:
    """Give a line that is taken away at the end."""
    line = ProgressLine()
    try:
        yield line
    finally:
        line.clear()


def counts_text(counts: Mapping[Verdict, int]) -> str:
    """Say how many there are of each result, as in ``4,997 done, 3 refused``."""
    told = [(verdict, counts.get(verdict, 0)) for verdict in Verdict]
    words = [f"{count:,} {verdict.replace('_', ' ')}" for verdict, count in told if count]
    return ", ".join(words) or "0 done"
