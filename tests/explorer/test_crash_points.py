"""A saga ends consistent, whichever process is struck at whichever boundary."""

import pytest
from plots import PLOTS
from strikes import KINDS

from amends.lua import SCRIPTS

pytestmark = pytest.mark.filterwarnings("ignore:Exception raised outside body")
EVERY = 43
PARTS = {"saga", "moves", "acts"}  # of scripts
BESIDE = {"note_heartbeat"}  # no transition of a saga


def named(value):
    return value.name.replace(", ", " ").replace(" ", "-")


@pytest.mark.parametrize("plot", PLOTS, ids=named)
def test_undisturbed_a_plot_ends_as_it_should(explorer, plot):
    run = explorer.play(plot)
    assert (run.wrongs, run.status) == ([], plot.ends)


def test_the_plots_come_by_every_script_and_every_boundary(explorer):
    kinds = [kind for kind in KINDS if kind.does == "kill"]
    points = [str(each) for plot in PLOTS for kind in kinds for each in explorer.points(plot, kind)]
    crossed = " ".join(points)
    scripts = SCRIPTS.keys() - PARTS - BESIDE
    assert [script for script in sorted(scripts) if f"before {script}" not in crossed] == []
    for name in ("publish", "acknowledge", "reject", "effect", "undo effect"):
        assert f"before {name}" in crossed


@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_whoever_is_struck_a_saga_ends_consistent_in_a_sample_of_all_points(explorer, kind):
    found = []
    for k, plot in enumerate(PLOTS):
        first = (7 * k + 11 * KINDS.index(kind)) % EVERY  # another part of each plot
        found += explorer.explore(plot, kind, wanted=slice(first, None, EVERY))
    assert not found, "\n".join(found)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS, ids=named)
@pytest.mark.parametrize("plot", PLOTS, ids=named)
def test_whoever_is_struck_a_saga_ends_consistent(explorer, plot, kind):
    found = list(explorer.explore(plot, kind))
    assert not found, "\n".join(found)
