"""The exit codes of the commands."""

from enum import IntEnum

from amends.errors import (
    ActRefused,
    ConfigurationError,
    LogUnavailable,
    SagaError,
    UnknownSaga,
    UnknownSchedule,
)


class Exit(IntEnum):
    """What a script learns from a command. 2 is click's, for a wrong usage."""

    OK = 0
    """Done, and nothing needs a person."""
    ATTENTION = 1
    """Something needs a person: a saga is stuck, a check failed, or not all acts succeeded."""
    UNKNOWN = 3
    """There is no such saga, schedule or circuit breaker."""
    REFUSED = 4
    """The saga is not where the act would find it: nothing was done."""
    UNAVAILABLE = 5
    """The saga log cannot be reached, or is not configured."""
    BUG = 70
    """None of these: a fault of the command itself, told with its traceback."""
    INTERRUPTED = 130
    """Ctrl-C."""


def exit_of(error: SagaError) -> Exit:
    """Tell with which code a command ends that met this error."""
    if isinstance(error, UnknownSaga | UnknownSchedule):
        return Exit.UNKNOWN
    if isinstance(error, ActRefused):
        return Exit.REFUSED
    if isinstance(error, ConfigurationError | LogUnavailable):
        return Exit.UNAVAILABLE
    return Exit.ATTENTION
