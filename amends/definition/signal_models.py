"""The models of the signals that sagas wait for, as far as this process has the sagas' definitions."""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

Models = Mapping[str, type[BaseModel]]
"""The models of a saga's signals, by their names."""

_KNOWN: Final[dict[str, Models]] = {}


def remember_models(saga: str, models: Models) -> None:
    """Keep what the signals of a saga are, for handles that are made without its definition, and for links."""
    _KNOWN[saga] = models


def known_models(saga: str) -> Models:
    """Return the models of a saga's signals by the saga's name; none where this process has no such definition."""
    return _KNOWN.get(saga, {})
