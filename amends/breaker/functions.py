"""Functions that a circuit breaker can guard: those whose call is over when they return."""

import inspect
from typing import Any, Final

from amends.errors import DefinitionError

_RETURNS_AT_ONCE: Final = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def check_function(function: Any, name: str) -> None:
    """Refuse what would return before the call is made."""
    code = getattr(function, "__code__", None)
    if code and not code.co_flags & _RETURNS_AT_ONCE:
        return
    kinds = {
        "a coroutine function": inspect.iscoroutinefunction,
        "an async generator function": inspect.isasyncgenfunction,
        "a generator function": inspect.isgeneratorfunction,
    }
    for kind, fits in kinds.items():
        if fits(function):
            raise DefinitionError(
                f"circuit breaker {name!r} cannot guard {getattr(function, '__qualname__', function)}: it is {kind},"
                f" which returns before its call is made; guard the call inside, with `permit = breaker.acquire()`"
            )
    if not callable(function):
        raise DefinitionError(
            f"circuit breaker {name!r} guards a function, and {function!r} is none"
        )
