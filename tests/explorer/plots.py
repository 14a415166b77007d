"""What may happen to a saga when nobody is struck: the ways forward, back and between channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from amends.definition.itinerary import Dispatch
from tests.explorer.acts import (
    DEADLINE,
    Act,
    PersonsAct,
    be_cancelled,
    be_paused,
    be_paused_and_cancelled,
    die_after,
    die_before,
    do_nothing,
    hang_after,
    lose_the_reply,
    refuse,
    take_too_long,
    undo_by_hand,
)


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A story: by record, what its first attempts do (later ones succeed), and how the saga ends.

    Where the saga stands still, stuck or paused, the `person` does something about it. The first messages
    for b meet workers that do not know its task, as many as are `unregistered`. One that `is_removed`
    leaves the log before the latecomers come. One that `is_whole` is struck also where it goes the same
    way as an earlier plot. The saga goes from step to step as its `dispatch` says.
    """

    name: str
    dispatch: Dispatch = "chain"
    acts: Mapping[str, Sequence[Act]] = field(default_factory=dict)
    person: PersonsAct | None = None
    ends: str
    timeout: float | None = None
    unregistered: int = 0
    is_removed: bool = False
    is_whole: bool = False


_BY_MESSAGES: Final = (
    Plot(name="forward", ends="completed"),
    Plot(name="last step refused", acts={"c": [refuse]}, ends="compensated", is_whole=True),
    Plot(
        name="retries on both ways",
        acts={"a": [lose_the_reply], "c": [do_nothing, refuse], "a:undo": [lose_the_reply]},
        ends="compensated",
    ),
    Plot(name="failure passed over", acts={"d": [lose_the_reply] * 2}, ends="completed"),
    Plot(name="switch after not done", acts={"b": [do_nothing] * 2}, ends="completed"),
    Plot(name="switch after a void", acts={"b": [lose_the_reply] * 2}, ends="completed"),
    Plot(
        name="back over a switch",
        acts={"b": [lose_the_reply] * 2, "c": [refuse]},
        ends="compensated",
        is_whole=True,
    ),
    Plot(
        name="both channels unknown",
        acts={"b": [lose_the_reply] * 2, "b:fallback": [lose_the_reply] * 2},
        ends="compensated",
    ),
    Plot(
        name="refused at the second try",
        acts={"b": [lose_the_reply, refuse]},
        ends="compensated",
    ),
    Plot(name="cancelled on the way", acts={"b": [be_cancelled]}, ends="compensated"),
    Plot(
        name="cancelled in a void",
        acts={"b": [lose_the_reply] * 2, "b:undo": [be_cancelled]},
        ends="compensated",
    ),
    Plot(name="deadline", acts={"b": [take_too_long]}, timeout=DEADLINE, ends="compensated"),
    Plot(name="died before the effect", acts={"b": [die_before]}, ends="completed"),
    Plot(name="died after the effect", acts={"b": [die_after], "c": [refuse]}, ends="compensated"),
    Plot(name="died in an undo", acts={"c": [refuse], "b:undo": [die_after]}, ends="compensated"),
    Plot(
        name="given up at the last attempt",
        acts={"b": [lose_the_reply, hang_after]},
        ends="completed",
    ),
    Plot(name="undo fails", acts={"c": [refuse], "b:undo": [lose_the_reply] * 2}, ends="stuck"),
    Plot(
        name="void fails",
        acts={"b": [lose_the_reply] * 2, "b:undo": [do_nothing] * 2},
        ends="stuck",
    ),
    Plot(
        name="paused and resumed",
        acts={"b": [be_paused]},
        person=lambda _, handle: handle.resume(),
        ends="completed",
    ),
    Plot(
        name="cancelled while paused",
        acts={"b": [be_paused_and_cancelled]},
        person=lambda _, handle: handle.resume(),
        ends="compensated",
    ),
    Plot(
        name="undo fails and is retried",
        acts={"c": [refuse], "b:undo": [lose_the_reply] * 2},
        person=lambda _, handle: handle.retry(),
        ends="compensated",
    ),
    Plot(
        name="void fails and is retried",
        acts={"b": [lose_the_reply] * 2, "b:undo": [do_nothing] * 2},
        person=lambda _, handle: handle.retry(),
        ends="compensated",
    ),
    Plot(
        name="undo fails and is skipped",
        acts={"c": [refuse], "b:undo": [lose_the_reply] * 2},
        person=undo_by_hand,
        ends="compensated",
    ),
    Plot(name="task unknown for a while", unregistered=2, ends="completed"),
    Plot(
        name="task unknown until a person retries",
        unregistered=5,
        person=lambda _, handle: handle.retry(),
        ends="completed",
    ),
    Plot(name="task unknown until a worker knows it", unregistered=5, ends="completed"),
    Plot(name="removed", acts={"c": [refuse]}, ends="compensated", is_removed=True, is_whole=True),
)
_INLINE: Final = tuple(
    replace(plot, name=f"{plot.name}, inline", dispatch="inline") for plot in _BY_MESSAGES
)
PLOTS: Final = (*_BY_MESSAGES, *_INLINE)
