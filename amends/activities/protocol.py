"""What an attempt is given, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from amends.activities.guard import Guard
from amends.definition.retry_policy import RetryPolicy
from amends.log.answers import Continuation


class Definition(Protocol):
    """The part of an activity that an attempt uses."""

    name: str
    function: Callable[..., Any]
    parameters: list[type[BaseModel]]
    output: type[BaseModel] | None
    may_return_none: bool
    is_async: bool
    retry: RetryPolicy
    start_to_close_timeout: float
    queue: str | None
    priority: int | None
    guard: Guard | None


Call = Callable[[str, Callable[..., Any], list[Any]], Any]
"""Calls an activity's function: gets the record's path, the function and its arguments."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How an attempt ended: what follows by the log, its error as Celery may have it, and the wait for the next one.

    `fails` tells that a record failed for good, and its task too, unless it was `refused`.
    """

    follows: Continuation
    error: Exception | None = None
    wait: float = 0.0
    fails: bool = False
    refused: bool = False
