"""What a listing of sagas asks for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from amends.definition.states import SagaStatus
from amends.log.queries.causes import Cause, error_of
from amends.log.queries.summary import SagaHeader, SagaSummary


@dataclass(frozen=True, kw_only=True)
class Query:
    """A query for sagas; None matches any. Statuses and times are found by indexes, the rest by reading sagas.

    statuses: all by default.
    step: name of the step of a present record, or the record's path; of a step for each item with or without the item.
    older_than: seconds in its status, at least.
    id: an id, or a prefix followed by ``*``.
    circuit: name of a circuit breaker that a present record waits for; of one with a circuit for each worker, any of these.
    where: values of search fields by name, all of which the saga has; such a listing is by start.
    error: a part of the last error, of its type or text, in letters of any case.
    cause: the `key` of a `Cause`.
    """

    statuses: frozenset[SagaStatus] = field(default_factory=lambda: frozenset(SagaStatus))
    saga: str | None = None
    step: str | None = None
    outcome: str | None = None
    paused: bool | None = None
    older_than: float = 0.0
    id: str | None = None
    circuit: str | None = None
    where: Sequence[tuple[str, object]] = ()
    error: str | None = None
    cause: str | None = None
    newest_first: bool = False

    def fits(self, summary: SagaSummary) -> bool:
        """Return whether a saga with this summary matches."""
        return (
            summary.status in self.statuses
            and self.fits_id(summary.id)
            and self.fits_header(
                SagaHeader(saga=summary.saga, outcome=summary.outcome, paused=summary.paused)
            )
            and (self.step is None or self.step in summary.places)
            and self.fits_circuits(summary.circuits)
            and summary.age >= self.older_than
            and self.fits_error(summary)
        )

    def fits_error(self, summary: SagaSummary) -> bool:
        """Return whether a saga with this summary has the error, and the cause."""
        if self.error is None and self.cause is None:
            return True
        cause = Cause.of(summary)
        texts = [each.casefold() for each in (error_of(summary), cause.error) if each]
        return self.cause in (None, cause.key) and (
            self.error is None or any(self.error.casefold() in text for text in texts)
        )

    def fits_circuits(self, circuits: Iterable[str]) -> bool:
        """Return whether a saga that waits for these circuits matches."""
        wanted = (self.circuit, f"{self.circuit}@")
        return self.circuit is None or any(
            each == wanted[0] or each.startswith(wanted[1]) for each in circuits
        )

    @property
    def asks_for_headers(self) -> bool:
        """Whether the query depends on headers."""
        return (self.saga, self.outcome, self.paused) != (None, None, None)

    def fits_header(self, header: SagaHeader) -> bool:
        """Return whether a saga with this header may match."""
        return (
            self.saga in (None, header.saga)
            and self.outcome in (None, header.outcome)
            and self.paused in (None, header.paused)
        )

    def fits_id(self, saga_id: str) -> bool:
        """Return whether a saga with this id may match."""
        if self.id is None:
            return True
        if self.id.endswith("*"):
            return saga_id.startswith(self.id[:-1])
        return saga_id == self.id
