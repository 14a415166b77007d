"""Which sagas an act on many is for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, cast

from celery import Celery
from starlette.datastructures import FormData, QueryParams

from amends.console.pages.filters import Filter
from amends.definition.states import LIVE, SagaStatus
from amends.log.queries.listing import store_of
from amends.log.queries.summary import SagaSummaries
from amends.operations import (
    ActName,
    Query,
    QuerySource,
    SagaSummary,
    Source,
    Target,
    TargetSource,
    count_sagas,
    find_sagas,
)

BULK_ACTS: Final[tuple[ActName, ...]] = ("retry", "cancel", "pause", "resume")
WOULD: Final[Mapping[ActName, str]] = {
    "retry": "Each begins anew what failed for good, and what comes next, with a fresh attempt budget. One that moved since is left alone.",
    "cancel": "Each starts nothing more, and what it did is compensated. One that moved since is left alone.",
    "pause": "Each begins nothing more until it is resumed. What runs may finish, and deadlines still come.",
    "resume": "Each goes on where it was paused.",
}
_MEANT: Final[Mapping[ActName, Mapping[str, str]]] = {
    "retry": {"status": SagaStatus.STUCK, "order": "oldest"},
    "cancel": {"status": f"{SagaStatus.PENDING},{SagaStatus.RUNNING}", "order": "oldest"},
    "pause": {"status": ",".join(LIVE), "paused": "no", "order": "oldest"},
    "resume": {"status": ",".join(LIVE), "paused": "yes", "order": "oldest"},
}
"""What an act is for where the filter names nothing else."""

_AS_OPTIONS: Final = ("saga", "step", "outcome", "older_than", "error", "cause", "circuit")
_SAMPLE: Final = 10
_MOST_COUNTED: Final = 5_000


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What an act would be done on: how many sagas, at least so many if it `is_cut`, and the first of them."""

    count: int
    is_cut: bool
    sample: Sequence[SagaSummary]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Sagas that are chosen one by one, or all that a filter finds.

    chosen: ids, each with the number of events that its history had.
    """

    act: ActName
    filter: Filter
    chosen: tuple[str, ...] = ()

    @classmethod
    def read(cls, act: str, asked: QueryParams | FormData) -> Self:
        """Read it off a URL or a form."""
        chosen = tuple(dict.fromkeys(str(each) for each in asked.getlist("id")))
        name = cast("ActName", act)
        found = Filter.read(asked)
        return cls(
            act=name, filter=found if chosen else found.with_default(_MEANT[name]), chosen=chosen
        )

    @property
    def listed(self) -> dict[str, Any]:
        """The filter as the list of acts keeps it, by the names of the command's options; {} where sagas are chosen."""
        given = {} if self.chosen else self.filter.given
        found: dict[str, Any] = {name: given[name] for name in _AS_OPTIONS if name in given}
        if "status" in given:
            found["status"] = given["status"].split(",")
        if "paused" in given:
            found["paused" if given["paused"] == "yes" else "not_paused"] = True
        if "q" in given:
            q = given["q"]
            found |= {"where": [q]} if "=" in q else {"id": f"{q.removesuffix('*')}*"}
        return found

    def preview(self, app: Celery) -> Preview:
        """Look what it would be done on. Raises ``ValueError`` for a filter that cannot be asked, and `LogUnavailable`."""
        if self.chosen:
            found = [each for each in _summaries(app, self._ids) if each]
            return Preview(count=len(found), is_cut=False, sample=found)
        query = self._query
        count = count_sagas(app, query, most_looked_at=_MOST_COUNTED)
        sample = find_sagas(app, query, limit=_SAMPLE).summaries
        return Preview(count=count.count, is_cut=count.is_cut, sample=sample)

    def source(self, app: Celery) -> Callable[[str | None], Source]:
        """Return what makes a run's source, from a place on. Raises ``ValueError`` for a filter that cannot be asked."""
        if not self.chosen:
            query = self._query
            return lambda after: QuerySource(self.act, query, after=after, app=app)
        targets = [
            Target(id=saga_id, seen=int(events) if events.isdigit() else None)
            for saga_id, _, events in (each.partition(":") for each in self.chosen)
        ]
        return lambda _: TargetSource(targets)

    @property
    def _ids(self) -> list[str]:
        return [each.partition(":")[0] for each in self.chosen]

    @property
    def _query(self) -> Query:
        return self.filter.query()


def _summaries(app: Celery, ids: Sequence[str]) -> Sequence[SagaSummary | None]:
    return SagaSummaries(store_of(app)).summarize_sagas(ids)
