"""Steps that wait: for signals of people and other systems, or for a time."""

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType, NoneType
from typing import Any, Final, Generic, Literal, TypeVar, get_args

from pydantic import AwareDatetime, BaseModel

from amends.definition.compatibility import is_union
from amends.definition.input_mapping import Models, checked_condition, field_at
from amends.definition.losses import check_losses
from amends.definition.numbers import is_number
from amends.definition.plans import LONGEST, STANDING, StepPlan, WaitPlan
from amends.definition.serialization import class_name
from amends.errors import DefinitionError
from amends.saga.any_step import AnyStep

Signal = TypeVar("Signal", bound=BaseModel)

MOST_SIGNALS: Final = 100
"""Signals that a saga keeps."""


class _Standing(AnyStep):
    """A step that waits. It calls nothing, and nothing of it is undone."""

    def __init__(
        self,
        name: str,
        *,
        when: str | None,
        outcome: str = "failed",
        on_failure: Literal["compensate", "continue"] = "compensate",
    ) -> None:
        self.name = name
        self.when = when
        self.outcome = {Exception: outcome}
        self.on_failure = on_failure
        self.check_names(f"{type(self).__name__} {name!r}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def plan(
        self,
        models: Models,
        *,
        optional: frozenset[str],  # noqa: ARG002 - it has no input
        lists: Mapping[str, Any] = MappingProxyType({}),  # noqa: ARG002
        where: str,
    ) -> StepPlan:
        """Write the step down for the saga log. Raises `DefinitionError`."""
        return StepPlan(
            name=self.name,
            activity=STANDING,
            fallback=None,
            compensation=None,
            on_failure=self.on_failure,
            outcome={class_name(error): name for error, name in self.outcome.items()},
            when=None if self.when is None else checked_condition(self.when, models, where=where),
            wait=self._wait(models, where=where),
        )

    @abstractmethod
    def _wait(self, models: Models, *, where: str) -> WaitPlan: ...


class Wait(_Standing, Generic[Signal]):
    """A step that waits for signals, see `Handle.signal`. Its output is the signal, or a list of them where `count` is more than 1.

    It holds no message, no worker and no thread. A signal that comes before its turn is kept for it. Cancel and the saga's
    deadline end it.

    name: name of the step, and of its signals.
    signal: pydantic model of a signal.
    timeout: longest wait in seconds; None is no limit.
    outcome: the saga's outcome if too few signals came in that time.
    on_timeout: ``"compensate"`` (the default) turns the saga back then, ``"continue"`` goes on with None for the output, or an empty list.
    count: how many signals it waits for; those of one giver (``by=``) count once.
    when: condition, see `Step`.

    Raises `DefinitionError`.
    """

    def __init__(
        self,
        name: str,
        signal: type[Signal],
        *,
        timeout: float | None = None,
        outcome: str = "failed",
        on_timeout: Literal["compensate", "continue"] = "compensate",
        count: int = 1,
        when: str | None = None,
    ) -> None:
        super().__init__(name, when=when, outcome=outcome, on_failure=on_timeout)
        where = f"Wait {name!r}"
        if not isinstance(signal, type) or not issubclass(signal, BaseModel):
            raise DefinitionError(
                f"{where}: {signal!r} is no pydantic model, which says what its signals are"
            )
        check_losses(signal, where=f"{where}, signal")
        if on_timeout not in ("compensate", "continue"):
            raise DefinitionError(
                f"{where}: on_timeout is {on_timeout!r}, not 'compensate' or 'continue'"
            )
        if timeout is not None and not (is_number(timeout) and 0 < timeout <= LONGEST):
            raise DefinitionError(
                f"{where}: timeout is {timeout!r}, not a time in seconds, ten years at most"
            )
        if type(count) is not int or not 1 <= count <= MOST_SIGNALS:
            raise DefinitionError(
                f"{where}: count is {count!r}, not a number from 1 to {MOST_SIGNALS}"
            )
        if timeout is None and on_timeout == "continue":
            raise DefinitionError(
                f"{where}: on_timeout= says what a timeout= means, which is not said"
            )
        self.signal = signal
        self.timeout = timeout
        self.count = count

    @property
    def output(self) -> type[BaseModel]:
        """The model of its output, or of each of a list."""
        return self.signal

    @property
    def gives_list(self) -> bool:
        """Whether its output is a list."""
        return self.count > 1

    def _wait(self, models: Models, *, where: str) -> WaitPlan:  # noqa: ARG002
        return WaitPlan(count=self.count, seconds=self.timeout)


class Delay(_Standing):
    """A step that waits for a time. It has no output.

    seconds: how long, from when the saga comes to it.
    until: in place of that, path of the time, ``input.<field>`` or ``<step>.<field>``, an ``AwareDatetime``; one that is past,
        or None, is over at once.
    name: name of the step.
    when: condition, see `Step`.

    Raises `DefinitionError`.
    """

    def __init__(
        self,
        seconds: float | None = None,
        *,
        until: str | None = None,
        name: str = "delay",
        when: str | None = None,
    ) -> None:
        super().__init__(name, when=when)
        where = f"Delay {name!r}"
        if (seconds is None) == (until is None):
            raise DefinitionError(
                f"{where}: say for how many seconds it is, or until= when; one of them"
            )
        if seconds is not None and not (is_number(seconds) and 0 <= seconds <= LONGEST):
            raise DefinitionError(
                f"{where}: {seconds!r} is not a time in seconds, ten years at most"
            )
        self.seconds = seconds
        self.until = until

    @property
    def output(self) -> None:
        """It has none."""
        return None

    def _wait(self, models: Models, *, where: str) -> WaitPlan:
        if self.until is not None:
            annotation = field_at(self.until, models, where=where)
            kinds = get_args(annotation) if is_union(annotation) else (annotation,)
            if not set(kinds) <= {AwareDatetime, NoneType}:
                raise DefinitionError(
                    f"{where}: until names {self.until}, which is {annotation} and not an AwareDatetime of pydantic"
                )
        return WaitPlan(seconds=self.seconds, until=self.until)
