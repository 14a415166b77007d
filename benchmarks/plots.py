"""Draw the figures of ``benchmarks/results`` into ``docs``: ``python -m benchmarks.plots``."""

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")  # needs no display

from matplotlib import pyplot as plt
from matplotlib import ticker

from benchmarks.contenders import ROOT
from benchmarks.results import column

Rows = Sequence[dict[str, Any]]

_COLOURS: Final = ("#2a6f97", "#d98e04", "#6b705c")
_BARS: Final = (
    # a figure, its title, what it is multiplied by
    ("throughput", "sagas a second", 1),
    ("starts", "starts a second, one by one", 1),
    ("p50", "latency on an idle worker, ms: median", 1000),
    ("cpu", "processor time of a saga, ms", 1000),
)
_WIDTH: Final = 0.38
_COSTS: Final = {
    "log": ("cpu_log",),
    "all together": ("cpu_log", "cpu_broker", "cpu_worker"),
    "time": ("wall",),
}
_DASHES: Final = {"chain": "-", "inline": "--"}
_STYLE: Final = {
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def where(rows: Rows, **labels: Any) -> Rows:
    """Return the rows that have these labels."""
    return [row for row in rows if all(row.get(name) == each for name, each in labels.items())]


def labels_of(rows: Rows, name: str) -> list[Any]:
    """Return the values of a label, in order."""
    return sorted({row[name] for row in rows})


def draw_sagas(results: dict[str, Any], path: Path) -> None:
    """Draw medians of each contender as bars, with lines from the smallest to the largest round."""
    options = {"figsize": (10, 6), "layout": "constrained", "sharey": True}
    figure, axes = plt.subplots(2, 2, **options)
    for ax, (name, title, factor) in zip(axes.flat, _BARS, strict=True):
        for k, (sync, rounds) in enumerate(results["rounds"].items()):
            each = [[value * factor for value in column(rounds, one, name)] for one in rounds]
            at = [n + (k - (len(results["rounds"]) - 1) / 2) * _WIDTH for n in range(len(each))]
            middle, bars = _spreads(each)
            ax.barh(
                at, middle, _WIDTH, xerr=bars, color=_COLOURS[k % 2], ecolor="#333333",
                label=f"appendfsync {sync}", error_kw={"linewidth": 1},
            )  # fmt: skip
        ax.set_yticks(range(len(results["titles"])), results["titles"].values(), fontsize=9)
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_title(title, fontsize=10, loc="left")
    axes.flat[0].invert_yaxis()  # all share it
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    _save(figure, path)


def draw_growth(rows: Rows, directory: Path) -> None:
    """Draw each axis that was measured, as ``growth-<axis>.svg``."""
    with mpl.rc_context(_STYLE):
        for name, width, plot in _PLOTS:
            if not where(rows, what=name):
                continue
            figure, axes = plt.subplots(1, width, figsize=(4.6 * width, 3.6), squeeze=False)
            plot(rows, axes[0])
            handles, labels = axes[0][0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
            _save(figure, directory / f"growth-{name}.svg")


def _others(rows: Rows, axes: Sequence[Any]) -> None:
    lines = {
        "time": ("others", _COSTS["time"]),
        "processor, all together": ("others", _COSTS["all together"]),
        "the log's scripts alone": ("scripts", None),
    }
    for ax, kind, told in zip(axes, ("live", "ended"), ("alive", "ended"), strict=True):
        for colour, (label, (what, parts)) in zip(_COLOURS, lines.items(), strict=True):
            mine = where(rows, what=what, kind=kind)
            sizes = labels_of(mine, "size")
            ratios = [_ratios(where(mine, size=size), parts) for size in sizes]
            _line(ax, sizes, ratios, label=label, color=colour)
        ax.axhline(1.0, color="black", linewidth=0.8)
        ax.axhline(1.1, color="black", linewidth=0.8, linestyle=":")
        low, high = ax.get_ylim()
        ax.set(xscale="log", ylim=(min(low, 0.7), max(high, 1.3)), title=f"others {told}")
        ax.set(xlabel="other sagas in the log", ylabel="cost of a saga (1 = without others)")
        _ticks(ax, sizes)


def _ratios(rows: Rows, parts: Sequence[str] | None) -> list[float]:
    """Return a cost with others in the log against the same without, round by round; by default that of all scripts."""
    sums = {
        (row["on"], row["round"]): sum(row[part] for part in parts)
        if parts
        else sum(row["costs"].values())
        for row in rows
    }
    return [value / sums["without", number] for (on, number), value in sums.items() if on == "with"]


def _steps(rows: Rows, axes: Sequence[Any]) -> None:
    _by_size(axes[0], where(rows, what="steps"), "steps", per_step=True)
    axes[0].set(xlabel="steps of the saga", ylabel="ms for each step")


def _payload(rows: Rows, axes: Sequence[Any]) -> None:
    _by_size(axes[0], where(rows, what="payload"), "bytes", per_step=False)
    axes[0].set(xlabel="bytes of the input, JSON", ylabel="ms for each saga of five steps")


def _by_size(ax: Any, rows: Rows, label: str, *, per_step: bool) -> None:
    at = labels_of(rows, label)
    for dispatch, dashes in _DASHES.items():
        for colour, (told, parts) in zip(_COLOURS, _COSTS.items(), strict=True):
            each = [
                [
                    sum(row[part] for part in parts) * 1000 / (size if per_step else 1)
                    for row in where(rows, dispatch=dispatch, **{label: size})
                ]
                for size in at
            ]
            _line(ax, at, each, label=f"{dispatch}: {told}", color=colour, linestyle=dashes)
    ax.set(xscale="log", yscale="log")
    _ticks(ax, at)
    ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))  # figures, not powers


def _workers(rows: Rows, axes: Sequence[Any]) -> None:
    titles = ("steps that do nothing", "steps that wait 20 ms")
    for ax, waits, title in zip(axes, (False, True), titles, strict=True):
        mine = where(rows, what="workers", waits=waits)
        at = labels_of(mine, "processes")
        for dispatch, dashes in _DASHES.items():
            found = [where(mine, dispatch=dispatch, processes=count) for count in at]
            rates = [[1 / row["wall"] for row in each] for each in found]
            _line(ax, at, rates, label=dispatch, color=_COLOURS[0], linestyle=dashes)
        ax.set(xlabel="processes of the worker", ylabel="sagas/s", title=title)
        ax.set_ylim(0, ax.get_ylim()[1])
        _ticks(ax, at)


def _line(ax: Any, at: Sequence[float], each: Sequence[Sequence[float]], **how: Any) -> None:
    middle, bars = _spreads(each)
    ax.errorbar(at, middle, yerr=bars, marker="o", markersize=4, capsize=3, **how)


def _spreads(each: Sequence[Sequence[float]]) -> tuple[list[float], list[list[float]]]:
    """Return the medians, and how far the smallest and the largest are from them."""
    middle = [statistics.median(values) for values in each]
    low = [mid - min(values) for mid, values in zip(middle, each, strict=True)]
    high = [max(values) - mid for mid, values in zip(middle, each, strict=True)]
    return middle, [low, high]


def _ticks(ax: Any, at: Sequence[int]) -> None:
    ax.set_xticks(at, [f"{each:,}" for each in at])
    ax.minorticks_off()


def _save(figure: Any, path: Path) -> None:
    with mpl.rc_context({"svg.hashsalt": "amends"}):  # equal figures give an equal file
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


_PLOTS: Final = (
    ("others", 2, _others),
    ("steps", 1, _steps),
    ("payload", 1, _payload),
    ("workers", 2, _workers),
)


def main(docs: Path = ROOT / "docs") -> int:
    """Draw all of them."""
    results = ROOT / "benchmarks/results"
    draw_sagas(
        json.loads((results / "sagas.json").read_text(encoding="utf-8")), docs / "bench-sagas.svg"
    )
    draw_growth(json.loads((results / "growth.json").read_text(encoding="utf-8"))["rows"], docs)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
