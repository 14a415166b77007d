"""What the stages of a saga have to keep to, whatever their steps are."""

from collections.abc import Sequence

from amends.errors import DefinitionError
from amends.saga.stages import Stage, steps_of
from amends.saga.wait import MOST_SIGNALS, Wait


def check_stages(stages: Sequence[Stage], *, where: str) -> None:
    """Check names, the point of no return and signals. Raises `DefinitionError`, which begins with `where`."""
    _check_names(stages, where=where)
    _check_pivot(stages, where=where)
    _check_signals(stages, where=where)


def _check_signals(stages: Sequence[Stage], *, where: str) -> None:
    """Check that a saga keeps as many signals as its waits need."""
    needed = sum(step.count for step in steps_of(stages, where=where) if isinstance(step, Wait))
    if needed > MOST_SIGNALS:
        raise DefinitionError(
            f"{where}: its waits need {needed} signals together, and a saga keeps {MOST_SIGNALS}"
        )


def _check_pivot(stages: Sequence[Stage], *, where: str) -> None:
    """Check that there is one point of no return at most, and that what stands before it says how it is undone."""
    pivot: str | None = None
    for stage in stages:
        for step in steps_of([stage], where=where):
            if step.pivot and pivot:
                raise DefinitionError(
                    f"{where}: {pivot} and {step.name} are both the point of no return; a saga has one"
                )
            if step.pivot and stage is not step:
                raise DefinitionError(
                    f"{where}: {step.name} is the point of no return and stands in a stage of several branches:"
                    " put it in the row of steps, where nothing runs beside it"
                )
            if not pivot and not step.pivot and step.is_final:
                raise DefinitionError(
                    f"{where}, step {step.name!r}: its saga has a point of no return, and could not be undone: put it past"
                    " that of this saga"
                )
            if not pivot and not step.pivot and not step.says_compensation:
                raise DefinitionError(
                    f"{where}, step {step.name!r}: say compensation=, None if it needs none; it may be left out past the"
                    " point of no return alone"
                )
            pivot = step.name if step.pivot else pivot


def _check_names(stages: Sequence[Stage], *, where: str) -> None:
    names: set[str] = set()
    for step in steps_of(stages, where=where):
        if step.name in names:
            raise DefinitionError(f"{where}: two steps are called {step.name!r}; give one a name=")
        names.add(step.name)
