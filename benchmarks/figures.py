"""What is told of figures: their median and spread, and how they compare."""

import statistics
from collections.abc import Sequence


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Tell the median, and in parentheses the smallest and the largest."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Compare round by round."""
    return [value / other for value, other in zip(values, others, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
