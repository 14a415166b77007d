"""A saga ends consistent, whichever process is struck at whichever boundary.

POINT=17 in the environment strikes at that point alone.
"""

import os

import pytest
from plots import PLOTS
from strikes import KINDS

EVERY = 43


def named(value):
    return value.name.replace(", ", " ").replace(" ", "-")


@pytest.mark.parametrize("plot", PLOTS, ids=named)
def test_undisturbed_a_plot_ends_as_it_should(explorer, plot):
    run = explorer.play(plot)
    assert (run.wrongs, run.status) == ([], plot.ends)


@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_whoever_is_struck_a_saga_ends_consistent_in_a_sample_of_all_points(explorer, kind):
    found = []
    for k, plot in enumerate(PLOTS):
        first = (7 * k + 11 * KINDS.index(kind)) % EVERY  # another part of each plot
        found += explorer.explore(plot, kind, points=slice(first, None, EVERY))
    assert not found, "\n".join(found)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS, ids=named)
@pytest.mark.parametrize("plot", PLOTS, ids=named)
def test_whoever_is_struck_a_saga_ends_consistent(explorer, plot, kind):
    point = int(os.environ.get("POINT", "0"))
    points = slice(point - 1, point) if point else slice(None)
    found = explorer.explore(plot, kind, points=points)
    assert not found, "\n".join(found)
