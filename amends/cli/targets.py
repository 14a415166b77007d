"""The targets of an act: sagas named, read from standard input, or found by a filter; listed where a person is asked."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from amends.cli.attribution import can_be_asked
from amends.cli.bulk.progress_line import progress_line
from amends.cli.exit_codes import Exit
from amends.cli.filters import find_page
from amends.cli.formatting import duration, state_cell
from amends.cli.json_documents import summary_json
from amends.cli.output import Output
from amends.cli.table import Cell, Column
from amends.definition.states import LIVE, SagaStatus
from amends.log.control import Seen
from amends.log.queries.cause_groups import Count, count_sagas
from amends.log.queries.listing import store_of
from amends.log.queries.query import Query
from amends.log.queries.summary import SagaSummaries, SagaSummary
from amends.operations.sources import QuerySource, Source, TargetSource, is_exact
from amends.saga.bulk import ActName, Target

_USUAL: Final[Mapping[ActName, frozenset[SagaStatus]]] = {
    "retry": frozenset({SagaStatus.STUCK}),
    "skip": frozenset({SagaStatus.STUCK}),
    "cancel": frozenset({SagaStatus.PENDING, SagaStatus.RUNNING}),
    "signal": frozenset({SagaStatus.PENDING, SagaStatus.RUNNING}),
    "pause": frozenset(LIVE),
    "resume": frozenset(LIVE),
}
"""The statuses that an act over a filter means, where it names none."""
_SHOWN: Final = 10
_NO_MORE: Final = Count(count=0, is_cut=False)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """How many of the sagas that a filter finds are acted on, and from where on in their listing."""

    limit: int
    takes_all: bool = (
        False  #: Whether all are, and the limit only says how many are looked at before.
    )
    after: str | None = None


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Sagas to act on: where each was when it was looked at, None where there is none."""

    summaries: Mapping[str, SagaSummary | None]
    is_exact: bool = (
        False  #: Whether each has to be exactly as it was seen; else its status has to be.
    )
    query: Query | None = None  #: The filter that found them, None where they were named.
    selection: Selection | None = None  #: How many of these it was to find.
    after: str | None = None  #: Place in the listing behind them, None where no more fit.
    more: Count = _NO_MORE  #: Those that fit beyond.

    @property
    def takes_all(self) -> bool:
        """Whether those beyond are acted on too."""
        return self.selection is not None and self.selection.takes_all

    @property
    def matched(self) -> int:
        """How many fit; where counting them was cut at least so many."""
        return len(self.summaries) + self.more.count

    def source(self, output: Output, act: ActName, *, as_seen: bool, events: int | None) -> Source:
        """Give what is acted on; `as_seen` where a person or a filter looked at each, or with so many `events`."""
        if self.query is not None and self.selection is not None and self.takes_all:
            return QuerySource(act, self.query, after=self.selection.after, app=output.app)
        return TargetSource(
            [
                Target(id=saga_id, seen=events or (self._seen(summary) if as_seen else None))
                for saga_id, summary in self.summaries.items()
            ]
        )

    def _seen(self, summary: SagaSummary | None) -> Seen:
        if summary is None:
            return None
        return summary.events if self.is_exact else summary.status


def targets_of(
    output: Output,
    act: ActName,
    saga_ids: Sequence[str],
    selection: Selection,
    query: Mapping[str, Any],
) -> Targets:
    """Find the sagas that an act is for. Raises click's ``UsageError`` where it is for none, or for all."""
    given = {name: value for name, value in query.items() if value or value is False}
    if saga_ids and given:
        raise click.UsageError("name sagas, or say by options which ones: not both")
    if saga_ids:
        if selection.takes_all or selection.after:
            raise click.UsageError("--all and --after go with options that say which sagas")
        ids = _without_repeats(_read_ids() if tuple(saga_ids) == ("-",) else saga_ids)
        found = SagaSummaries(store_of(output.app)).summarize_sagas(ids)
        is_exact_ = is_exact(act, Query())
        return Targets(summaries=dict(zip(ids, found, strict=True)), is_exact=is_exact_)
    if not given:
        name = "Name them before the wait" if act == "signal" else "Name them"
        raise click.UsageError(
            f"{act} which sagas? {name}, or give an option like --saga, --step or --where"
        )
    return _filtered(output, act, selection, dict(given))


def _filtered(output: Output, act: ActName, selection: Selection, given: dict[str, Any]) -> Targets:
    statuses = frozenset(map(SagaStatus, given.pop("statuses", ()))) or _USUAL[act]
    if act == "resume":
        given.setdefault("paused", True)
    elif act == "pause":
        given.setdefault("paused", False)
    query = Query(statuses=statuses, id=given.pop("saga_id", None), **given)
    page = find_page(output, query, limit=selection.limit, after=selection.after)
    return Targets(
        summaries={summary.id: summary for summary in page.summaries},
        is_exact=is_exact(act, query),
        query=query,
        selection=selection,
        after=page.after,
        more=_count_more(output, query, page.after),
    )


def _count_more(output: Output, query: Query, after: str | None) -> Count:
    if after is None:
        return _NO_MORE
    with progress_line() as line:
        return count_sagas(
            output.app, query, after=after, told=lambda n: line.show(f"{n:,} more fit so far")
        )


def show_targets(
    output: Output, act: ActName, found: Targets, *, yes: bool, asks_why: bool
) -> bool:
    """Show what is acted on, where a person is asked; tell whether it was looked at."""
    if found.query is None:
        if asks_why and can_be_asked():
            _print_summaries(output, found, err=True)
            return True
        return False
    if yes:
        return True
    count, least = len(found.summaries), "at least " if found.more.is_cut else ""
    if found.takes_all:
        count = found.matched
    if not can_be_asked():
        raise click.UsageError(
            f"{least}{count:,} sagas fit; --yes acts on them, and --dry-run lists them"
        )
    _print_summaries(output, found, err=True)
    which = "this saga" if count == 1 else f"these {count:,} sagas"
    click.confirm(f"{act.capitalize()} {which}?", abort=True, err=True)
    return True


def list_targets(output: Output, act: ActName, found: Targets) -> Exit:
    """List what an act is for, and do nothing."""
    if output.as_json:
        sagas = [
            summary_json(summary) if summary else {"id": saga_id, "status": None}
            for saga_id, summary in found.summaries.items()
        ]
        has_more = found.after is not None
        rest = {"has_more": has_more, "matched": found.matched, "after": found.after}
        output.json({"act": act, "sagas": sagas, **rest})
        return Exit.OK
    _print_summaries(output, found, most=len(found.summaries))
    return Exit.OK


def _print_summaries(
    output: Output, found: Targets, *, most: int = _SHOWN, err: bool = False
) -> None:
    columns: list[Column | str] = [Column("id", may_shrink=True), "status"]
    columns += [Column("for", right=True), "at", Column("last error", may_shrink=True)]
    rows = [_row(saga_id, summary) for saga_id, summary in list(found.summaries.items())[:most]]
    output.table(columns, rows, err=err)
    count, total = len(found.summaries), found.matched
    least = "at least " if found.more.is_cut else ""
    if found.takes_all:
        count = total
    if count > most:
        click.echo(f"... and {least}{count - most:,} more", err=err)
    if count < total:
        click.echo(
            f"{least.capitalize()}{total:,} fit: these are the first {count}. --all acts on all.",
            err=err,
        )


def _row(saga_id: str, summary: SagaSummary | None) -> list[Cell | str]:
    if summary is None:
        return [saga_id, "there is no such saga"]
    paused = f"{summary.status} (paused)" if summary.paused else None
    why = summary.error or summary.reason or ""
    at = summary.record or ""
    return [
        saga_id,
        state_cell(summary.status, paused),
        duration(summary.age),
        at,
        " ".join(why.split()),
    ]


def _read_ids() -> list[str]:
    return sys.stdin.read().split()


def _without_repeats(ids: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(ids))
