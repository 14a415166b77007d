"""What a saga needs to know of a step, whatever it does."""

import re
from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import BaseModel

from amends.definition.input_mapping import Models
from amends.definition.paths import ITEM
from amends.definition.plans import StepPlan
from amends.errors import DefinitionError

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What a saga, a step and an outcome may be called."""


class AnyStep:
    """A step of any kind and models (as `Step[Any, Any]`, mypy would check none)."""

    name: str
    outcome: Mapping[type[Exception], str]
    on_failure: Literal["compensate", "continue"]
    when: str | None
    pivot: bool = False
    is_final: bool = False  #: Whether it cannot be undone.
    says_compensation: bool = True  #: Whether it tells how it is undone, or that it need not be.

    @property
    @abstractmethod
    def output(self) -> type[BaseModel] | None:
        """The model of its output, None if it has none."""

    @property
    def gives_list(self) -> bool:
        """Whether its output is a list of that."""
        return False

    @abstractmethod
    def plan(
        self,
        models: Models,
        *,
        optional: frozenset[str],
        lists: Mapping[str, Any] = MappingProxyType({}),
        where: str,
    ) -> StepPlan:
        """Write the step down for the saga log. Raises `DefinitionError`.

        `models` and `lists` are what its input may come from, see `map_inputs`; `optional` names those that may be missing.
        """

    def check_names(self, where: str) -> None:
        """Check what it and its outcomes are called. Raises `DefinitionError`."""
        if not NAME.fullmatch(self.name) or self.name in ("input", "saga", ITEM):
            raise DefinitionError(
                f"{where}: a name is letters, digits and _, and not 'input', 'saga' or 'item'"
            )
        for outcome in self.outcome.values():
            if not NAME.fullmatch(outcome) or outcome == "completed":
                raise DefinitionError(
                    f"{where}: the outcome {outcome!r} of a failure is not letters, digits and _,"
                    " or is 'completed'"
                )
