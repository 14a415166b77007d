"""What a metric is, and the list of all that are defined."""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric. `tells` is its help text."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    tells: str


KNOWN: Final[list[Metric]] = []
"""Those that were defined, in order."""


def define(kind: Kind, name: str, *labels: str, tells: str) -> Metric:
    """Define a metric."""
    metric = Metric(name=name, kind=kind, labels=labels, tells=tells)
    KNOWN.append(metric)
    return metric
