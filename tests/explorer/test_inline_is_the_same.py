"""A saga ends the same, and has the same history, by a message a step and inline."""

import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.explorer.acts import (
    be_cancelled,
    be_paused,
    die_after,
    die_before,
    do_nothing,
    hang_after,
    lose_the_reply,
    refuse,
    succeed,
)
from tests.explorer.plots import PLOTS, Plot

pytestmark = pytest.mark.xdist_group("explorer")
PAIRS = [
    (plot, inline) for plot in PLOTS for inline in PLOTS if inline.name == f"{plot.name}, inline"
]
# Who it was, and how late a sweep came, which is as long as the machine takes.
CHANCE = re.compile(r"[0-9a-f]{12}:\d+:[\w.]*|given up after \d+ s")
# Who sent, claimed and acted, and how often; the definition says which way the saga goes.
WHEN_AND_WHERE = {"at", "until", "queued", "worker", "pid"}
OWN = {"definition", "messages", "dispatches", "act", "advance"}
MISHAPS = st.sampled_from(
    [succeed, refuse, do_nothing, lose_the_reply, die_before, die_after, hang_after, be_paused]
)
ACTS = st.dictionaries(
    st.sampled_from(["a", "b", "b:fallback", "c", "d", "a:undo", "b:undo", "c:undo"]),
    st.lists(MISHAPS | st.just(be_cancelled), max_size=3),
    max_size=4,
)


def told(run):
    """Tell how a run ended and what came before it, but for times, tokens, owners and messages."""
    fields = {
        name: CHANCE.sub("CHANCE", value)
        for name, value in run.end.facts.items()
        if name not in OWN and not name.endswith((".t", ".o"))
    }
    history = [
        CHANCE.sub(
            "CHANCE",
            repr({name: value for name, value in event.items() if name not in WHEN_AND_WHERE}),
        )
        for event in run.end.history
    ]
    return history, fields


@pytest.mark.parametrize(("plot", "inline"), PAIRS, ids=[plot.name for plot, _ in PAIRS])
def test_it_is_the_same_in_each_plot(explorer, plot, inline):
    assert told(explorer.play(inline)) == told(explorer.play(plot))


def help_on(_, handle):
    handle.resume()
    handle.retry()


@settings(
    max_examples=25,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(acts=ACTS)
def test_it_is_the_same_whatever_the_activities_do(explorer, acts):
    plot = Plot(name="any", acts=acts, person=help_on, ends="completed")
    by_messages = explorer.play(plot)
    inline = explorer.play(replace(plot, dispatch="inline", ends=by_messages.status))
    assert inline.wrongs == []
    assert told(inline) == told(by_messages)
