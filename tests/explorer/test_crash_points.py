"""A saga ends consistent, whichever process is struck at whichever boundary.

EVERY=2 in the environment takes every other point only.
"""

import os

import pytest

from amends.backend.scripts import TRANSITIONS, of_any_kind
from tests.explorer.crash_points import KINDS
from tests.explorer.plots import PLOTS

pytestmark = pytest.mark.filterwarnings("ignore:Exception raised outside body")
SAMPLE = 97
together = pytest.mark.xdist_group("explorer")  # they tell every plot once


def named(value):
    return value.name.replace(", ", " ").replace(" ", "-")


@pytest.mark.parametrize("plot", PLOTS, ids=named)
def test_undisturbed_a_plot_ends_as_it_should(explorer, plot):
    run = explorer.play(plot)
    assert (run.wrongs, run.status) == ([], plot.ends)


@together
def test_the_plots_come_by_every_script_and_every_boundary(explorer):
    kinds = [kind for kind in KINDS if kind.does == "kill"]
    points = [str(each) for plot in PLOTS for kind in kinds for each in explorer.points(plot, kind)]
    crossed = " ".join(points)
    crossing = {of_any_kind(script) for script in TRANSITIONS}
    for script in (*crossing, "take_due"):
        assert f"before {script}" in crossed, f"no plot comes by {script}"
    for name in ("publish", "acknowledge", "reject", "effect", "undo effect", "find effect"):
        assert f"before {name}" in crossed


def struck(explorer, plot, kind, every):
    """Strike at every so many points, beginning with another one in each plot and kind."""
    first = (7 * PLOTS.index(plot) + 11 * KINDS.index(kind)) % every
    return list(explorer.explore(plot, kind, wanted=slice(first, None, every)))


@together
@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_whoever_is_struck_a_saga_ends_consistent_in_a_sample_of_all_points(explorer, kind):
    found = [each for plot in PLOTS for each in struck(explorer, plot, kind, SAMPLE)]
    assert not found, "\n".join(found)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS, ids=named)
@pytest.mark.parametrize("plot", PLOTS, ids=named)
def test_whoever_is_struck_a_saga_ends_consistent(explorer, plot, kind):
    found = struck(explorer, plot, kind, int(os.environ.get("EVERY", "1")))
    assert not found, "\n".join(found)
