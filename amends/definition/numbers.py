"""Numbers that definitions and callers give, told from what only looks like one."""

from typing import TypeGuard


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell a number from a text, a ``timedelta`` and a bool, which Python would count as one."""
    return isinstance(value, int | float) and not isinstance(value, bool)
