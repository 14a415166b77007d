"""The admin's list of sagas: what a URL asks for, and what the log answers."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

from celery import Celery

from amends.cli.lists import summary_row
from amends.definition.states import SagaStatus
from amends.dispatch.children import STARTS
from amends.django.cells import html
from amends.log.queries.listing import Page, find_sagas
from amends.log.queries.query import Query

PAGE: Final = 50
"""Sagas on a page."""

COLUMNS: Final = ("id", "saga", "status", "for", "step", "attempts", "outcome or error")
_STATUSES: Final = tuple(each.value for each in SagaStatus)


class SagaList:
    """A page of sagas, those first that moved last.

    app: the app whose log is read.
    asked: what the URL asks for: ``q``, an id, the beginning of one, or a search field as ``customer=ada``; ``status``; ``saga``;
        ``after``, a page's cursor. A value that may not be is left out.

    Raises `LogUnavailable`, `ConfigurationError`.
    """

    columns: Final = COLUMNS

    def __init__(self, app: Celery, asked: Mapping[str, str]) -> None:
        self.q = asked.get("q", "").strip()
        self.status = asked["status"] if asked.get("status") in _STATUSES else ""
        self.saga = asked.get("saga", "")
        self.sagas = sorted({*STARTS, *filter(None, [self.saga])})
        self.page = self._find(app, asked.get("after") or None)
        self.is_first = not asked.get("after")

    @property
    def rows(self) -> Iterator[tuple[str, list[Any]]]:
        """Yield the id of each saga, and the cells after it."""
        for summary in self.page.summaries:
            _, *cells = summary_row(summary)
            yield summary.id, [*map(html, cells)]

    @property
    def filters(self) -> Iterator[tuple[str, list[tuple[str, str, bool]]]]:
        """Yield the title of each filter with its choices: what is shown, the query of the URL, and whether it is chosen."""
        yield "status", [*self._choices("status", _STATUSES, self.status)]
        yield "saga", [*self._choices("saga", self.sagas, self.saga)]

    @property
    def kept(self) -> Mapping[str, str]:
        """What the URL asks for, but for the search and the page."""
        return {name: value for name, value in self._asked.items() if name != "q"}

    @property
    def first(self) -> str:
        """The query of the first page's URL."""
        return _query(self._asked)

    @property
    def next(self) -> str | None:
        """The query of the next page's URL; None at the end."""
        after = self.page.after
        return None if after is None else _query({**self._asked, "after": after})

    @property
    def _asked(self) -> dict[str, str]:
        asked = {"q": self.q, "status": self.status, "saga": self.saga}
        return {name: value for name, value in asked.items() if value}

    def _choices(self, name: str, values: Any, chosen: str) -> Iterator[tuple[str, str, bool]]:
        for value in ("", *values):
            yield value or "All", _query({**self._asked, name: value}), value == chosen

    def _find(self, app: Celery, after: str | None) -> Page:
        how: dict[str, Any] = {"saga": self.saga or None, "newest_first": True}
        if self.status:
            how["statuses"] = frozenset({SagaStatus(self.status)})
        if self.q and "=" not in self.q:
            found = find_sagas(app, Query(id=self.q.removesuffix("*"), **how))
            if found.summaries:  # without a look at any other
                return found
            how["id"] = f"{self.q.removesuffix('*')}*"
        elif self.q:
            name, _, value = self.q.partition("=")
            how["where"] = ((name.strip(), value.strip()),)
        try:
            return find_sagas(app, Query(**how), limit=PAGE, after=after)
        except ValueError:  # a cursor of another list, or no name of a search field
            if after is not None:
                return self._find(app, None)
            return Page(summaries=(), after=None, looked_at=0, is_cut=False)


def _query(asked: Mapping[str, str]) -> str:
    return f"?{urlencode({name: value for name, value in asked.items() if value})}"
