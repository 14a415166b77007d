"""The outputs of sagas that are steps of others, as far as this process has their definitions."""

from typing import Final

from pydantic import BaseModel

_KNOWN: Final[dict[str, type[BaseModel]]] = {}


def remember_output(saga: str, model: type[BaseModel]) -> None:
    """Keep what the output of a saga is, for a person who gives it in the saga's place."""
    _KNOWN[saga] = model


def known_output(saga: str) -> type[BaseModel] | None:
    """Return the model of a saga's output by the saga's name; None where it is a step of no saga that this process defines."""
    return _KNOWN.get(saga)
