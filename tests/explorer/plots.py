"""What may happen to a saga when nobody is struck: the ways forward, back and between channels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from pydantic import BaseModel

from amends import Saga
from amends.definition.itinerary import Dispatch, Itinerary
from tests.explorer.acts import (
    DEADLINE,
    Act,
    PersonsAct,
    be_cancelled,
    be_paused,
    be_paused_and_cancelled,
    break_off,
    die_after,
    die_before,
    do_nothing,
    hang_after,
    lose_the_reply,
    refuse,
    take_too_long,
    undo_by_hand,
)
from tests.explorer.explored_saga import SAGA_ID, Job, saga_of
from tests.explorer.explored_stages import lot_of, stages_of
from tests.explorer.explored_waits import waits_of


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A story: by record, what its first attempts do (later ones succeed), and how the saga ends.

    Where the saga stands still, stuck or paused, the `person` does something about it. The first messages
    for b meet workers that do not know its task, as many as are `unregistered`. One that `is_removed`
    leaves the log before the latecomers come. One that `is_whole` is struck also where it goes the same
    way as an earlier plot. The saga goes from step to step as its `dispatch` says. One that `has_stages` or `has_waits` is of
    another saga; what that waits for is given where it `is_approved`.
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
    has_stages: bool = False
    has_waits: bool = False
    is_approved: bool = True

    @cached_property
    def saga(self) -> Saga[Any, Any]:
        """The saga that it tells of."""
        define: Any = stages_of if self.has_stages else waits_of if self.has_waits else saga_of
        found: Saga[Any, Any] = define(self.timeout, self.dispatch)
        return found

    @property
    def itinerary(self) -> Itinerary:
        """That saga's definition, as the log has it."""
        return self.saga.itinerary

    def branch_of(self, path: str) -> str:
        """Return the branch of a record, '' for the line, and one of its own for what the saga's child does."""
        return self.itinerary.branch_of(path) if path in self.itinerary.records else "k.1"

    @property
    def given(self) -> BaseModel:
        """The saga's input."""
        return lot_of(SAGA_ID) if self.has_stages else Job(job_id=SAGA_ID)


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
_OF_STAGES: Final = tuple(
    replace(plot, name=f"stages, {plot.name}", has_stages=True)
    for plot in (
        Plot(name="forward", ends="completed"),
        Plot(name="pivot refused", acts={"f": [refuse]}, ends="compensated", is_whole=True),
        Plot(name="first branch refused", acts={"b": [refuse]}, ends="compensated"),
        Plot(name="last branch refused", acts={"d": [refuse]}, ends="compensated", is_whole=True),
        Plot(
            name="retries beside a turn",
            acts={"b": [lose_the_reply], "d": [refuse], "b:undo": [lose_the_reply]},
            ends="compensated",
        ),
        Plot(name="switch in a branch", acts={"b": [lose_the_reply] * 3}, ends="completed"),
        Plot(
            name="back over a switch",
            acts={"b": [lose_the_reply] * 3, "e[1]": [refuse]},
            ends="compensated",
        ),
        Plot(
            name="effect found",
            acts={"c": [lose_the_reply], "c:verify": [lose_the_reply]},
            ends="completed",
        ),
        Plot(name="no effect found", acts={"c": [break_off]}, ends="completed"),
        Plot(name="asked before an undo", acts={"c": [lose_the_reply, refuse]}, ends="completed"),
        Plot(name="item refused", acts={"e[2]": [refuse]}, ends="compensated"),
        Plot(name="pivot found", acts={"f": [lose_the_reply] * 3}, ends="completed"),
        Plot(name="refused past the pivot", acts={"g": [refuse]}, ends="stuck"),
        Plot(
            name="refused past the pivot and retried",
            acts={"g": [refuse]},
            person=lambda _, handle: handle.retry(),
            ends="completed",
        ),
        Plot(name="cancelled", acts={"c": [be_cancelled]}, ends="compensated"),
        Plot(
            name="paused and resumed",
            acts={"b": [be_paused]},
            person=lambda _, handle: handle.resume(),
            ends="completed",
        ),
        Plot(name="deadline", acts={"c": [take_too_long]}, timeout=DEADLINE, ends="compensated"),
        Plot(name="died after the effect", acts={"c": [die_after]}, ends="completed"),
        Plot(
            name="undo fails and is retried",
            acts={"d": [refuse], "b:undo": [do_nothing] * 3},
            person=lambda _, handle: handle.retry(),
            ends="compensated",
        ),
    )
)
_OF_WAITS: Final = tuple(
    replace(plot, name=f"waits, {plot.name}", has_waits=True)
    for plot in (
        Plot(name="forward", ends="completed"),
        Plot(name="last step refused", acts={"g": [refuse]}, ends="compensated", is_whole=True),
        Plot(name="not approved", is_approved=False, ends="compensated"),
        Plot(name="child refused", acts={"h": [refuse]}, ends="compensated"),
        Plot(name="child retries", acts={"h": [lose_the_reply]}, ends="completed"),
        Plot(name="cancelled in the child", acts={"h": [be_cancelled]}, ends="compensated"),
        Plot(
            name="child's undo retries",
            acts={"g": [refuse], "h:undo": [lose_the_reply]},
            ends="compensated",
        ),
        Plot(
            name="paused and resumed",
            acts={"a": [be_paused]},
            person=lambda _, handle: handle.resume(),
            ends="completed",
        ),
        Plot(name="deadline", acts={"g": [take_too_long]}, timeout=60.0, ends="compensated"),
        Plot(name="child died after the effect", acts={"h": [die_after]}, ends="completed"),
    )
)
_INLINE: Final = tuple(
    replace(plot, name=f"{plot.name}, inline", dispatch="inline")
    for plot in (*_BY_MESSAGES, *_OF_STAGES, *_OF_WAITS)
)
PLOTS: Final = (*_BY_MESSAGES, *_OF_STAGES, *_OF_WAITS, *_INLINE)
