"""The figures as the README shows them: tables between two marks."""

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.contenders import BASE
from benchmarks.figures import spread
from benchmarks.plan import Plan
from benchmarks.results import Results, Rounds, column, compared

BEGIN: Final = "<!-- The figures of `make bench` begin here. -->"
END: Final = "<!-- The figures of `make bench` end here. -->"
_COMPARED: Final = ("throughput", "starts", "starts_many", "p50", "cpu")
_HEADINGS: Final = ("sagas/s", "the same", "starts/s", "`start_many`", "latency, p50", "CPU time")


def renew(readme: Path, results: Results) -> None:
    """Put these figures where others are. Raises ``ValueError`` where the marks are missing."""
    before, found, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not (found and closed):
        raise ValueError(f"{readme} has no {BEGIN} with an {END} after it")
    readme.write_text(f"{before}{told(results)}{after}", encoding="utf-8")


def told(results: Results) -> str:
    """Return the tables with their marks."""
    asked, machine = results.asked, results.machine
    heading = (
        f"{asked['rounds']} round(s) of {asked['sagas']:,} sagas on {machine['processors']} processors"
        f" (load {machine['load_at_start']:.1f} before), Celery {machine['packages']['celery']}, Redis"
        f" {machine['redis_server']}; ratios to the chain with results: median (smallest to largest round)."
    )
    if asked["rounds"] < Plan.rounds:
        heading += " A short run, which shows no more than what takes part."
    timed = ("\n".join(_timed(results, *each)) for each in results.rounds.items())
    return "\n\n".join([BEGIN, heading, *timed, _counted(results), END])


def _timed(results: Results, sync: str, rounds: Rounds) -> Iterator[str]:
    yield _row(f"`appendfsync {sync}`", *_HEADINGS)
    yield _row(*["---"] * (len(_HEADINGS) + 1))
    for name in rounds:
        rate = statistics.median(column(rounds, name, "throughput") or [0])
        ratios = (compared(rounds, name, figure, BASE) for figure in _COMPARED)
        cells = ("" if not each else "1" if name == BASE else spread(each) for each in ratios)
        yield _row(results.titles[name], f"{rate:.0f}", *cells)


def _counted(results: Results) -> str:
    lines = [
        _row(
            "for one saga", "commands to start it", "to run it", "of these to its log", "bytes kept"
        ),
        _row(*["---"] * 5),
    ]
    for name, counts in results.counts.items():
        run = counts.run
        cells = (f"{each:.0f}" for each in (counts.start.all, run.all, run.log))
        lines.append(_row(results.titles[name], *cells, f"{counts.bytes_kept:,.0f}"))
    if results.order_bytes is not None:
        lines.append(
            _row("an order of the order system", "", "", "", f"{results.order_bytes:,.0f}")
        )
    return "\n".join(lines)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
