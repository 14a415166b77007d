"""An operator's act in the list: a row, JSON, and the command that goes on with a bulk act."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from amends.cli.filters import option_words
from amends.cli.formatting import clock, moment
from amends.cli.table import Cell, Column
from amends.log.acts.act import Act, Bulk


def column_names() -> list[Column | str]:
    """Return the columns of the list."""
    first: list[Column | str] = [Column("at"), Column("who"), Column("act")]
    return [*first, Column("on", may_shrink=True), Column("result"), Column("why", may_drop=True)]


def row(act: Act, now: float) -> list[Cell | str]:
    """Return the row of an act, at a time in seconds since 1970."""
    at = Cell(clock(act.at, now), {"dim": True})
    what = f"{act.act} {act.step}" if act.step else act.act
    style = {"fg": "yellow"} if act.is_interrupted else {}
    result = Cell(", ".join(_results(act.bulk)) if act.bulk else "done", style)
    return [at, act.by or "-", what, _on(act), result, " ".join((act.why or "").split())]


def _on(act: Act) -> str:
    if act.bulk is not None:
        count = f"{act.bulk.matched:,} saga{'' if act.bulk.matched == 1 else 's'}"
        return " ".join([count, *option_words(act.bulk.filter)])
    if act.circuit is not None:
        return f"circuit {act.circuit}"
    if act.schedule is not None:
        many = f", {act.count:,} sagas" if act.count is not None and act.act == "backfill" else ""
        return f"schedule {act.schedule}{many}"
    return act.saga_id or "-"


def _results(bulk: Bulk) -> Iterator[str]:
    if bulk.state != "ended":
        yield bulk.state
    yield f"{bulk.done:,} done"
    counts = {"refused": bulk.refused, "unknown": bulk.unknown, "not tried": bulk.not_tried}
    yield from (f"{count:,} {name}" for name, count in counts.items() if count)


def go_on(act: Act) -> Sequence[str]:
    """Return the words of the command that goes on with a bulk act: under its id, each saga is done once."""
    bulk = act.bulk
    words = [act.act, *([shlex.quote(act.step)] if act.step else [])]
    words += option_words(bulk.filter) if bulk and bulk.filter else ["..."]
    if bulk and bulk.after:
        words += ["--after", shlex.quote(bulk.after)]
    if act.why:
        words += ["--why", shlex.quote(act.why)]
    return [*words, "--id" if act.act == "signal" else "--act-id", act.id]


def act_json(act: Act) -> dict[str, Any]:
    """Return the document of an act."""
    bulk = act.bulk
    return {
        "at": moment(act.at),
        "act": act.act,
        "act_id": act.id,
        "by": act.by,
        "why": act.why,
        "id": act.saga_id,
        "saga": act.saga,
        "step": act.step,
        "circuit": act.circuit,
        "schedule": act.schedule,
        "count": act.count,
        "bulk": bulk and {**vars(bulk), "updated": moment(bulk.updated)},
    }
