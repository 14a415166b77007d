"""What one Redis carries, by the figures."""

import statistics
from typing import Any, Final

from benchmarks.growth import reading
from benchmarks.growth.plan import Rows
from benchmarks.growth.reading import labels_of, markdown, median, where
from benchmarks.growth.results import Results
from benchmarks.growth.sagas import FIVE

_GB: Final = 1e9
_RETENTIONS: Final = {"an hour": 3600, "a day": 86400, "a week": 7 * 86400}


def memory(results: Results) -> str:
    """Tell how many sagas one gigabyte holds."""
    lines = []
    for kind, told in (("live", "alive, five steps"), ("ended", "ended, five steps")):
        each = _bytes_each(results, kind)
        lines.append([told, f"{each:,.0f}", f"{_GB / each:,.0f}"])
    for row in _payloads(results):
        told = f"ended, with {row['bytes']:,} bytes of input"
        kept = _median(where(results.of_what("payload"), bytes=row["bytes"]), "kept")
        lines.append([told, f"{kept:,.0f}", f"{_GB / kept:,.0f}"])
    return markdown(["a saga", "bytes", "sagas a GB"], lines)


def retention(results: Results) -> str:
    """Tell how much memory ended sagas take until they are removed."""
    each = _bytes_each(results, "ended")
    lines = [
        [told, f"{seconds * each / _GB:,.2f}", f"{10 * _GB / each / seconds:,.1f}"]
        for told, seconds in _RETENTIONS.items()
    ]
    heading = ["`amends_retention`", "GB for one saga/s", "sagas/s with 10 GB"]
    return markdown(heading, lines)


def processor(results: Results) -> str:
    """Tell how many sagas a second take all of one Redis, which has one processor."""
    rows = where(results.of_what("steps"), steps=FIVE)
    lines = []
    for dispatch in labels_of(rows, "dispatch"):
        mine = where(rows, dispatch=dispatch)
        log, both = median(mine, reading.cpu_log), median(mine, _both)
        worker = median(mine, _worker)
        lines.append(
            [
                dispatch,
                f"{log * 1000:.2f}",
                f"{1 / log:,.0f}",
                f"{1 / both:,.0f}",
                f"{worker * 1000:.1f}",
                f"{worker / log:.1f}",
            ]
        )
    heading = [
        "five steps",
        "log, ms a saga",
        "sagas/s of a log",
        "of a Redis for both",
        "worker, ms a saga",
    ]
    return markdown([*heading, "processors of workers that a log keeps busy"], lines)


def upkeep(results: Results) -> str:
    """Tell what is for the log as a whole."""
    return "\n".join(
        f"* {sentence}" for sentence in (*_loads(results), *_due(results), *_removal(results))
    )


def _loads(results: Results) -> list[str]:
    told = {"live": "alive", "ended": "that ended"}
    return [
        f"A Redis that is started anew reads {row['size']:,} sagas {told[row['kind']]} in {row['seconds']:.0f} s."
        for row in results.of_what("load")
    ]


def _due(results: Results) -> list[str]:
    rows = results.of_what("due")
    if not rows:
        return []
    rate = statistics.median(row["looked"] / row["seconds"] for row in rows)
    size = rows[0]["size"]
    return [
        (
            f"With {size:,} sagas due at once, one worker's sweep looks at {rows[0]['looked']:,} in a round trip and at"
            f" {rate:,.0f} a second; all of them take it {size / rate:.0f} s, of which the log's Redis works for"
            f" {size * _median_of(rows, 'looked'):.0f} s."
        )
    ]


def _removal(results: Results) -> list[str]:
    rows = results.of_what("removal")
    if not rows:
        return []
    rate = statistics.median(row["removed"] / row["seconds"] for row in rows)
    return [
        (
            f"The retention removes {rate:,.0f} ended sagas a second where it has many to remove, and each takes the"
            f" log's Redis {_median_of(rows, 'removed') * 1e6:.0f} µs."
        )
    ]


def _median_of(rows: Rows, count: str) -> float:
    return float(statistics.median(row["cpu_log"] / row[count] for row in rows))


def _median(rows: Rows, name: str) -> float:
    return float(statistics.median(row[name] for row in rows))


def _bytes_each(results: Results, kind: str) -> float:
    rows = where(results.of_what("log"), kind=kind)
    return float(max(rows, key=lambda row: row["size"])["bytes_each"])


def _payloads(results: Results) -> Rows:
    sizes = labels_of(results.of_what("payload"), "bytes")
    return [{"bytes": size} for size in sizes]


def _both(row: dict[str, Any]) -> float:
    return float(row["cpu_log"] + row["cpu_broker"])


def _worker(row: dict[str, Any]) -> float:
    return float(row["cpu_worker"])
