"""Stages of several branches: steps that run at once, and a step for each item of a list."""

from collections.abc import Iterator, Sequence
from typing import Final, get_args

from amends.definition.plans import Undo
from amends.errors import DefinitionError
from amends.saga.any_step import AnyStep
from amends.saga.child import Child
from amends.saga.step import Step

FEWEST_BRANCHES: Final = 2
MOST_BRANCHES: Final = 100

Branch = AnyStep | Sequence[AnyStep]
"""A step, or a row of steps that run one after the other."""


class Parallel:
    """A stage of several branches that run at once. The saga goes on once each of them is done.

    If one fails for good the saga turns back: what runs beside it may finish and is not retried, nothing more begins, and
    then all that took effect is undone, within each branch in reverse.

    branches: two to a hundred, each a step or a list of steps. None uses outputs of another one; later stages use those of all.
    undo: ``"together"`` (the default) undoes the branches at once, ``"ordered"`` one after the other, in reverse order of
        their first steps' start.
    when: condition of the whole stage, see `Step`.

    Raises `DefinitionError`.
    """

    def __init__(self, *branches: Branch, undo: Undo = "together", when: str | None = None) -> None:
        self.branches: list[list[AnyStep]] = [
            list(each) if isinstance(each, Sequence) else [each] for each in branches
        ]
        self.undo = undo
        self.when = when
        names = [
            step.name for branch in self.branches for step in branch if isinstance(step, AnyStep)
        ]
        where = f"Parallel({', '.join(names)})"
        if not FEWEST_BRANCHES <= len(branches) <= MOST_BRANCHES:
            raise DefinitionError(
                f"{where}: {len(branches)} branches, and two to {MOST_BRANCHES} are possible"
            )
        for branch in self.branches:
            if not branch:
                raise DefinitionError(f"{where}: a branch has no steps")
            for step in branch:
                if not isinstance(step, AnyStep):
                    raise DefinitionError(
                        f"{where}: a branch has {step!r}, and takes steps alone: a Step, or a list of them"
                    )
        if undo not in get_args(Undo):
            raise DefinitionError(f"{where}: undo is {undo!r}, not 'together' or 'ordered'")


class Each:
    """A stage that runs a step once for each item of a list, which is known as the saga runs.

    The input of the step is filled from the fields of the item (``item.<field>``, or by name), and from what a step has
    else. Its output is the list of all outputs in the order of the items, with None where a failure was passed over or the
    activity returned None. It fails, and is undone, as `Parallel` does. An empty list is done at once; one of more than a
    thousand items refuses the step, which turns the saga back.

    items: path of the list, ``input.<field>`` or ``<step>.<field>``; its items are of a pydantic model.
    step: what is done for each item.
    concurrency: how many items may be at work at once, forward and backward; None is no bound.
    when: condition of the whole stage, see `Step`; one of its step is asked for each item, as ``item.<field>`` too.

    Raises `DefinitionError`.
    """

    def __init__(
        self,
        items: str,
        step: AnyStep,
        *,
        concurrency: int | None = None,
        when: str | None = None,
    ) -> None:
        if not isinstance(step, Step | Child):
            raise DefinitionError(f"Each({items!r}) has {step!r}, and takes a Step, or a Child")
        where = f"Each({items!r}, {step.name})"
        if not isinstance(items, str) or items.count(".") != 1:
            raise DefinitionError(
                f"{where}: the list is named 'input.<field>' or '<step>.<field>', with one dot"
            )
        if concurrency is not None and (type(concurrency) is not int or concurrency < 1):
            raise DefinitionError(
                f"{where}: concurrency is {concurrency!r}, not a number from 1 on"
            )
        self.items = items
        self.step = step
        self.concurrency = concurrency
        self.when = when

    def __repr__(self) -> str:
        return f"Each({self.items!r}, {self.step.name})"


Stage = AnyStep | Parallel | Each


def steps_of(stages: Sequence[Stage], *, where: str = "saga") -> Iterator[AnyStep]:
    """Yield the steps of stages, in order. Raises `DefinitionError` for what is no stage, which begins with `where`."""
    for stage in stages:
        match stage:
            case Parallel(branches=branches):
                yield from (step for branch in branches for step in branch)
            case Each(step=step):
                yield step
            case AnyStep():
                yield stage
            case _:
                raise DefinitionError(
                    f"{where} has {stage!r} among its steps, which is no Step, Wait, Delay, Parallel or Each"
                )
