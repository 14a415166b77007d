"""The tables of the four axes."""

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.figures import spread
from benchmarks.growth import reading
from benchmarks.growth.crowd import KINDS
from benchmarks.growth.plan import Rows
from benchmarks.growth.reading import compared, labels_of, markdown, median, values, where
from benchmarks.growth.results import Results

_KIND = {"live": "alive", "ended": "ended"}
_MS = 1000.0


def machine(results: Results) -> str:
    """Tell what it was measured on, and how."""
    found, asked = results.machine, results.asked
    packages = ", ".join(
        f"{name} {version}"
        for name, version in found["packages"].items()
        if name in {"celery", "redis"}
    )
    return (
        f"Measured on {found['processors']} processors that everything shares (log, broker, workers, the one who starts),"
        f" Python {found['python']}, {packages}, Redis {found['redis_server']} with `appendfsync always`, in"
        f" {asked['rounds']} rounds of at most {asked['sagas']} sagas, {results.seconds / 60:.0f} minutes in all."
        f" The load of the machine before it began was {found['load_at_start']:.1f}."
    )


def others(results: Results) -> str:
    """Compare a log with others in it with an empty one."""
    found = [results.of_what(what) for what in ("others", "scripts", "idle")]
    heading = [
        "others in the log",
        "time",
        "processor",
        "less what is taken idle",
        "the scripts alone",
    ]
    lines = []
    for kind in KINDS:
        for size in labels_of(found[0], "size"):
            whole, alone, idle = (where(rows, kind=kind, size=size) for rows in found)
            figures = (reading.wall, reading.cpu, reading.less_idle(idle))
            cells = [_ratio(whole, figure) for figure in figures]
            lines.append([f"{size:,} {_KIND[kind]}", *cells, _ratio(alone, reading.scripts)])
    return markdown(heading, lines)


def scripts(results: Results) -> str:
    """Tell the processor time of each script, without others and with the most of them."""
    rows = [row for row in results.of_what("scripts") if row["size"] == _most(results)]
    heading = ["script", "none, µs", *(f"{_most(results):,} {_KIND[kind]}" for kind in KINDS)]
    lines = []
    for name in rows[0]["costs"]:
        figure = reading.script(name)
        base = median(rows, figure, on="without") * 1e6
        cells = [_ratio(where(rows, kind=kind), figure) for kind in KINDS]
        lines.append([name, f"{base:.0f}", *cells])
    return markdown(heading, lines)


def standing(results: Results) -> str:
    """Tell what others take although no saga runs."""
    logs, idle = results.of_what("log"), results.of_what("idle")
    heading = [
        "others in the log",
        "memory of each",
        "file",
        "written anew in",
        "Redis idle",
        "worker idle",
    ]
    lines = [["none", "", "", "", *_idle(where(idle, on="without"))]]
    for row in logs:
        mine = where(idle, on="with", kind=row["kind"], size=row["size"])
        lines.append(
            [
                f"{row['size']:,} {_KIND[row['kind']]}",
                f"{row['bytes_each']:,.0f} B",
                f"{row['file_bytes'] / 1e6:,.0f} MB",
                f"{row['rewrite_seconds']:.1f} s",
                *_idle(mine),
            ]
        )
    return markdown(heading, lines)


def steps(results: Results) -> str:
    """Tell what each step costs, in sagas with few and with many."""
    rows = results.of_what("steps")
    heading = [
        "steps",
        "time a step, ms",
        "processor a step, ms",
        "of it the log's Redis",
        "kept a step, B",
    ]
    return _by(rows, "steps", heading, per_step=True)


def payload(results: Results) -> str:
    """Tell what a saga costs by the bytes of its input."""
    rows = results.of_what("payload")
    heading = ["input, bytes", "time, ms", "processor, ms", "of it the log's Redis", "kept, B"]
    return _by(rows, "bytes", heading, per_step=False)


def workers(results: Results) -> str:
    """Tell how many sagas a second end, by the processes of the worker."""
    rows = results.of_what("workers")
    cases = [
        (dispatch, waits) for waits in (False, True) for dispatch in labels_of(rows, "dispatch")
    ]
    told = {False: "no-op", True: "20 ms"}
    heading = ["processes", *(f"{dispatch}, {told[waits]}: sagas/s" for dispatch, waits in cases)]
    lines = []
    for processes in labels_of(rows, "processes"):
        rates = [
            [
                1 / each
                for each in values(
                    rows, reading.wall, processes=processes, dispatch=dispatch, waits=waits
                )
            ]
            for dispatch, waits in cases
        ]
        lines.append([str(processes), *(spread(each, 1) for each in rates)])
    return markdown(heading, lines)


def _by(rows: Rows, label: str, heading: Sequence[str], *, per_step: bool) -> str:
    lines = []
    for dispatch in labels_of(rows, "dispatch"):
        for value in labels_of(rows, label):
            mine = where(rows, dispatch=dispatch, **{label: value})
            parts = value if per_step else 1
            cells = [
                spread([each * _MS / parts for each in values(mine, figure)], 1)
                for figure in (reading.wall, reading.cpu, reading.cpu_log)
            ]
            kept = statistics.median(row["kept"] for row in mine) / parts
            lines.append([f"{value:,}, {dispatch}", *cells, f"{kept:,.0f}"])
    return markdown(heading, lines)


def _ratio(rows: Rows, figure: reading.Figure) -> str:
    return spread(compared(rows, figure))


def _idle(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{statistics.median(row[name] for row in rows):.1%}" for name in ("log", "worker")]


def _most(results: Results) -> int:
    return int(max(row["size"] for row in results.of_what("log")))
