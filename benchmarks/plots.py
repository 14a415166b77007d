"""The figures as one picture."""

import statistics
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

from benchmarks.results import Results, column

mpl.use("svg")  # needs no display

from matplotlib import pyplot as plt

PANELS: Final = (
    # the figure, its title, what it is multiplied by
    ("throughput", "sagas a second", 1),
    ("starts", "starts a second, one by one", 1),
    ("p50", "latency on an idle worker, ms: median", 1000),
    ("cpu", "processor time of a saga, ms", 1000),
)
COLOURS: Final = ("#2a6f97", "#d98e04")
WIDTH: Final = 0.38


def draw(results: Results, path: Path) -> None:
    """Draw medians as bars, with lines from the smallest to the largest round."""
    options = {"figsize": (10, 6), "layout": "constrained", "sharey": True}
    figure, axes = plt.subplots(2, 2, **options)
    for axis, (name, title, factor) in zip(axes.flat, PANELS, strict=True):
        _panel(axis, results, name, factor)
        axis.set_title(title, fontsize=10, loc="left")
    axes.flat[0].invert_yaxis()  # all share it
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "amends"}):  # equal figures give an equal file
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _panel(axis: Any, results: Results, figure: str, factor: float) -> None:
    names = list(results.titles)
    for k, (sync, rounds) in enumerate(results.rounds.items()):
        places, medians, below, above = [], [], [], []
        for place, name in enumerate(names):
            values = [value * factor for value in column(rounds, name, figure) or [0.0]]
            median = statistics.median(values)
            places.append(place + (k - (len(results.rounds) - 1) / 2) * WIDTH)
            medians.append(median)
            below.append(median - min(values))
            above.append(max(values) - median)
        axis.barh(
            places, medians, WIDTH, xerr=(below, above), color=COLOURS[k % 2], ecolor="#333333",
            label=f"appendfsync {sync}", error_kw={"linewidth": 1},
        )  # fmt: skip
    axis.set_yticks(range(len(names)), [results.titles[name] for name in names], fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
