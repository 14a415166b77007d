"""An operator's act in the list: a row, JSON, and the command that goes on with a bulk act."""

import shlex
from collections.abc import Sequence
from typing import Any

from amends.cli.filters import option_words
from amends.cli.formatting import clock, moment
from amends.cli.table import Cell, Column
from amends.log.acts.act import Act, Bulk


def column_names() -> list[Column | str]:
    """Return the columns of the list."""
    first = [Column("at"), Column("who", may_shrink=True), Column("act")]
    last = [Column("on", may_shrink=True), Column("result"), Column("why", may_drop=True)]
    return [*first, *last]


def row(act: Act, now: float) -> list[Cell | str]:
    """Return the row of an act, at a time in seconds since 1970."""
    at = Cell(clock(act.at, now), {"dim": True})
    what = f"{act.act} {act.step}" if act.step else act.act
    style = {"fg": "yellow"} if act.is_interrupted else {}
    result = Cell(_result(act.bulk) if act.bulk else "done", style)
    why = [" ".join((act.why or "").split())]
    if act.bulk and act.bulk.filter:
        why.append(f"(of {' '.join(option_words(act.bulk.filter))})")
    return [at, act.by or "-", what, _on(act), result, " ".join(filter(None, why))]


def _on(act: Act) -> str:
    if act.bulk is not None:
        return sagas(act.bulk.matched)
    if act.circuit is not None:
        return f"circuit {act.circuit}"
    if act.schedule is not None:
        many = f", {sagas(act.count)}" if act.count is not None and act.act == "backfill" else ""
        return f"schedule {act.schedule}{many}"
    return act.saga_id or "-"


def sagas(count: int) -> str:
    """Return so many sagas in words."""
    return f"{count:,} saga{'' if count == 1 else 's'}"


def _result(bulk: Bulk) -> str:
    if bulk.state == "ended":
        return results(bulk)
    looked_at = bulk.done + bulk.refused + bulk.unknown
    place = f"{looked_at:,} of {bulk.matched:,}"
    return f"stopped at {place}" if bulk.state == "interrupted" else f"at {place}"


def results(bulk: Bulk) -> str:
    """Return how many sagas had which result."""
    counts = {"refused": bulk.refused, "unknown": bulk.unknown, "not tried": bulk.not_tried}
    others = (f"{count:,} {name}" for name, count in counts.items() if count)
    return ", ".join([f"{bulk.done:,} done", *others])


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
