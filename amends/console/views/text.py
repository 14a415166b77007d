"""Filters of the templates: times, cells and sagas in a few words."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from amends.cli.formatting import duration, moment
from amends.cli.lists import summary_row
from amends.cli.table import Cell
from amends.log.queries.summary import SagaSummary

_KIBI: Final = 1024


def said(summary: SagaSummary) -> str:
    """Say the outcome, the error or the wait of a saga, as a list of the command line does."""
    last = summary_row(summary)[-1]
    return last.text if isinstance(last, Cell) else last


def at(seconds: float) -> str:
    """Write a moment in UTC to the second."""
    return moment(seconds)[:19].replace("T", " ")


def url_query(asked: Mapping[str, str]) -> str:
    """Write what is asked for as the query of a URL."""
    return f"?{urlencode({name: value for name, value in asked.items() if value})}"


def size(count: int) -> str:
    """Write a number of bytes: ``1.5 GiB``."""
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):  # noqa: B007 - the last one is wanted
        if value < _KIBI:
            break
        value /= _KIBI
    return f"{value:.{0 if unit == 'B' else 1}f} {unit}"


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "duration": duration,
    "at": at,
    "said": said,
    "bytes": size,
}
