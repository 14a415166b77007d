"""The models of sagas' inputs, and of the signals that they wait for, as far as this process has the sagas' definitions."""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

Models = Mapping[str, type[BaseModel]]
"""The models of a saga's signals, by their names."""

_KNOWN: Final[dict[str, Models]] = {}
_INPUTS: Final[dict[str, type[BaseModel]]] = {}


def remember_models(saga: str, models: Models, *, saga_input: type[BaseModel]) -> None:
    """Keep what the signals and the input of a saga are, for who has no definition of it at hand, but its name."""
    _KNOWN[saga], _INPUTS[saga] = models, saga_input


def known_input(saga: str) -> type[BaseModel] | None:
    """Return the model of a saga's input by the saga's name; None where this process has no such definition."""
    return _INPUTS.get(saga)


def known_models(saga: str) -> Models:
    """Return the models of a saga's signals by the saga's name; none where this process has no such definition."""
    return _KNOWN.get(saga, {})
