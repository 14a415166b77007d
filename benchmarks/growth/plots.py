"""The plots of the page, one for each axis."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib import ticker

from benchmarks.growth import reading
from benchmarks.growth.plan import Rows
from benchmarks.growth.reading import compared, labels_of, values, where
from benchmarks.growth.results import Results

_STYLE: Final = {
    "svg.hashsalt": "amends",  # so that equal figures give equal files
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
_DASHES: Final = {"chain": "-", "inline": "--"}
_COLOURS: Final = ("#2a6f97", "#d98e04", "#6b705c")

Axes = Any  # matplotlib has no types here


def draw(results: Results, directory: Path) -> None:
    """Draw what was measured, as ``growth-<axis>.svg`` in this directory."""
    with mpl.rc_context(_STYLE):
        for name, width, plot in _PLOTS:
            if not results.of_what(name):
                continue
            figure, axes = plt.subplots(1, width, figsize=(4.6 * width, 3.6), squeeze=False)
            plot(results, axes[0])
            _legend(figure, axes[0][0])
            figure.savefig(directory / f"growth-{name}.svg", metadata={"Date": None})
            plt.close(figure)


def _others(results: Results, axes: Sequence[Axes]) -> None:
    parts = (
        ("time", "others", reading.wall),
        ("processor, all together", "others", reading.cpu),
        ("the log's scripts alone", "scripts", reading.scripts),
    )
    for ax, kind, told in zip(axes, ("live", "ended"), ("alive", "ended"), strict=True):
        for colour, (label, what, figure) in zip(_COLOURS, parts, strict=False):
            rows = where(results.of_what(what), kind=kind)
            sizes = labels_of(rows, "size")
            ratios = [compared(where(rows, size=size), figure) for size in sizes]
            _line(ax, sizes, ratios, label=label, color=colour)
        ax.axhline(1.0, color="black", linewidth=0.8)
        ax.axhline(1.1, color="black", linewidth=0.8, linestyle=":")
        low, high = ax.get_ylim()
        ax.set(xscale="log", ylim=(min(low, 0.7), max(high, 1.3)), title=f"others {told}")
        ax.set(xlabel="other sagas in the log", ylabel="cost of a saga (1 = without others)")
        _ticks(ax, sizes)


def _steps(results: Results, axes: Sequence[Axes]) -> None:
    rows = results.of_what("steps")
    figures = (("log", reading.cpu_log), ("all together", reading.cpu), ("time", reading.wall))
    _by_label(axes[0], rows, "steps", figures, per_step=True)
    axes[0].set(xscale="log", yscale="log", xlabel="steps of the saga", ylabel="ms for each step")
    _ticks(axes[0], labels_of(rows, "steps"))
    _plain(axes[0])


def _payload(results: Results, axes: Sequence[Axes]) -> None:
    rows = results.of_what("payload")
    figures = (("log", reading.cpu_log), ("all together", reading.cpu), ("time", reading.wall))
    _by_label(axes[0], rows, "bytes", figures, per_step=False)
    axes[0].set(xscale="log", yscale="log", xlabel="bytes of the input, JSON")
    axes[0].set(ylabel="ms for each saga of five steps")
    _ticks(axes[0], labels_of(rows, "bytes"))
    _plain(axes[0])


def _workers(results: Results, axes: Sequence[Axes]) -> None:
    rows = results.of_what("workers")
    titles = ("steps that do nothing", "steps that wait 20 ms")
    for ax, waits, title in zip(axes, (False, True), titles, strict=True):
        for dispatch in labels_of(rows, "dispatch"):
            mine = where(rows, waits=waits, dispatch=dispatch)
            counts = labels_of(mine, "processes")
            rates = [[1 / each for each in values(mine, reading.wall, processes=n)] for n in counts]
            _line(ax, counts, rates, label=dispatch, color=_COLOURS[0], linestyle=_DASHES[dispatch])
        ax.set(xlabel="processes of the worker", ylabel="sagas/s", title=title)
        ax.set_ylim(0, ax.get_ylim()[1])
        _ticks(ax, labels_of(rows, "processes"))


def _by_label(
    ax: Axes,
    rows: Rows,
    label: str,
    figures: Sequence[tuple[str, reading.Figure]],
    *,
    per_step: bool,
) -> None:
    for dispatch in labels_of(rows, "dispatch"):
        mine = where(rows, dispatch=dispatch)
        at = labels_of(mine, label)
        for colour, (told, figure) in zip(_COLOURS, figures, strict=False):
            each = [
                [
                    value * 1000 / (x if per_step else 1)
                    for value in values(mine, figure, **{label: x})
                ]
                for x in at
            ]
            _line(
                ax, at, each, label=f"{dispatch}: {told}", color=colour, linestyle=_DASHES[dispatch]
            )


def _line(ax: Axes, at: Sequence[float], each: Sequence[Sequence[float]], **how: Any) -> None:
    """Draw medians, with bars from the smallest to the largest."""
    middle = [statistics.median(values) for values in each]
    low = [mid - min(values) for mid, values in zip(middle, each, strict=True)]
    high = [max(values) - mid for mid, values in zip(middle, each, strict=True)]
    ax.errorbar(at, middle, yerr=[low, high], marker="o", markersize=4, capsize=3, **how)


def _legend(figure: Any, ax: Axes) -> None:
    """Say below what the lines are; the axes of one figure have the same."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)


def _plain(ax: Axes) -> None:
    """Write figures as such, not as powers."""
    ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))


def _ticks(ax: Axes, at: Sequence[int]) -> None:
    ax.set_xticks(at, [f"{each:,}" for each in at])
    ax.minorticks_off()


_PLOTS: Final[Sequence[tuple[str, int, Callable[[Results, Sequence[Axes]], None]]]] = (
    ("others", 2, _others),
    ("steps", 1, _steps),
    ("payload", 1, _payload),
    ("workers", 2, _workers),
)
