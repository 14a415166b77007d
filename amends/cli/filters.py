"""The options that select sagas."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from amends.cli.formatting import seconds_of
from amends.definition.states import SagaStatus

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

WHERE: Final = [
    click.option("--saga", metavar="NAME", help="Sagas of this definition."),
    click.option("--step", metavar="NAME", help="Standing at this step, or at this record of it."),
    click.option(
        "--older-than",
        type=seconds_of,
        default="0s",
        metavar="TIME",
        help="In their status for so long: 90s, 10m, 1h30m, 2d.",
    ),
    click.option(
        "--id", "saga_id", metavar="ID", help="This id, or with * at the end all that begin so."
    ),
]
HOW: Final = [
    click.option(
        "--status",
        "statuses",
        multiple=True,
        type=click.Choice([status.value for status in SagaStatus]),
        help="In this status; more than once for several.",
    ),
    click.option(
        "--outcome", metavar="NAME", help="With this outcome, as the definition names it."
    ),
    click.option("--paused/--not-paused", default=None, help="Paused, or not."),
]


def at_most(count: int) -> Decorator[Any]:
    """Make the option that says how many."""
    return click.option(
        "--limit",
        type=click.IntRange(1, 1000),
        default=count,
        show_default=True,
        help="How many at most.",
    )


def options(*decorators: Decorator[Any]) -> Decorator[Any]:
    """Make one decorator of these, whose options are shown in their order."""

    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate
