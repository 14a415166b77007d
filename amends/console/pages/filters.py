"""A filter of sagas as a URL has it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

from starlette.datastructures import QueryParams

from amends.cli.formatting import time_span
from amends.console.views.text import url_query
from amends.definition.search_fields import entries_for
from amends.definition.states import SagaStatus
from amends.log.queries.causes import check_cause
from amends.operations import Query

STATUSES: Final = tuple(each.value for each in SagaStatus)
_PAUSED: Final[Mapping[str, bool | None]] = {"yes": True, "no": False}


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What a URL asks for; '' matches any.

    q: an id, the beginning of one, or a search field with its value.
    status: one status, or several with commas between them.
    older_than: a time span, as ``10m``.
    paused: ``yes`` or ``no``.
    error: a part of the last error.
    cause: key of a cause, as *Needs a person* links to.
    circuit: name of a circuit that a saga waits for.
    order: ``oldest`` for those first that are longest in their status.
    """

    q: str = ""
    status: str = ""
    saga: str = ""
    step: str = ""
    outcome: str = ""
    older_than: str = ""
    paused: str = ""
    error: str = ""
    cause: str = ""
    circuit: str = ""
    order: str = ""

    @classmethod
    def read(cls, asked: QueryParams | Mapping[str, Any]) -> Self:
        """Read the query of a URL."""
        return cls(**{each.name: str(asked.get(each.name, "")).strip() for each in fields(cls)})

    @property
    def given(self) -> dict[str, str]:
        """What is asked for, by name."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in found.items() if value}

    def with_default(self, default: Mapping[str, str]) -> Self:
        """Return it with these values where it asks for nothing."""
        return replace(
            self, **{name: getattr(self, name) or value for name, value in default.items()}
        )

    def url_query(self, **more: str) -> str:
        """Write it as the query of a URL."""
        return url_query({**self.given, **more})

    def query(self, *, is_whole_id: bool = False) -> Query:
        """Return the query of the log. Raises ``ValueError`` for what cannot be asked.

        is_whole_id: whether `q` is an id; else it is the beginning of one.
        """
        name, is_field, value = self.q.partition("=")
        where = ((name.strip(), value.strip()),) if is_field else ()
        for field in where:
            entries_for(*field)  # raises
        prefix = self.q.removesuffix("*")
        return Query(
            statuses=frozenset(map(SagaStatus, self._statuses)) or frozenset(SagaStatus),
            saga=self.saga or None,
            step=self.step or None,
            outcome=self.outcome or None,
            paused=_PAUSED.get(self.paused),
            older_than=time_span(self.older_than) if self.older_than else 0.0,
            id=None if where or not self.q else prefix if is_whole_id else f"{prefix}*",
            where=where,
            error=self.error or None,
            circuit=self.circuit or None,
            cause=check_cause(self.cause) if self.cause else None,
            newest_first=self.order != "oldest",
        )

    @property
    def _statuses(self) -> list[str]:
        named = [each for each in self.status.split(",") if each]
        for each in named:
            if each not in STATUSES:
                raise ValueError(f"there is no status {each!r}; there are {', '.join(STATUSES)}")
        return named
