"""The options that select sagas."""

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from amends.cli.formatting import seconds_of
from amends.cli.output import Output
from amends.definition.search_fields import entries_for
from amends.definition.states import SagaStatus
from amends.errors import did_you_mean
from amends.log.queries.causes import check_cause
from amends.log.queries.listing import Page, find_sagas, store_of
from amends.log.queries.query import Query
from amends.log.queries.search import known_fields

_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)(?:/([smh]))?")
_PER: Final = {"s": 1, "m": 60, "h": 3600}

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

_OPTIONS: Final = {"saga_id": "id", "statuses": "status"}


def field_value(text: str) -> tuple[str, str]:
    """Read a search field and its value: ``customer=ada``. An option's type."""
    name, is_given, value = text.partition("=")
    if not is_given:
        raise click.BadParameter(f"{text!r} is no search field with a value; write customer=ada")
    try:
        entries_for(name, value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return name, value


def _once_each(
    _: click.Context, __: click.Parameter, where: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    names = [name for name, _ in where]
    for name in names:
        if names.count(name) > 1:
            raise click.BadParameter(f"{name} is given twice, and a saga has one value of it")
    return where


def _checked_cause(_: click.Context, __: click.Parameter, key: str | None) -> str | None:
    try:
        return None if key is None else check_cause(key)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def rate_of(text: str) -> float:
    """Read how many a second: ``50/s``, ``600/m``; a bare number is by the second. An option's type."""
    found = _RATE.fullmatch(text)
    rate = float(found[1]) / _PER[found[2] or "s"] if found else 0.0
    if not rate:
        raise click.BadParameter(f"{text!r} is no rate; write 50/s or 600/m")
    return rate


def is_given(option: str) -> bool:
    """Return whether an option of the running command was given."""
    source = click.get_current_context().get_parameter_source(option)
    return source is not ParameterSource.DEFAULT


def find_page(output: Output, query: Query, *, limit: int, after: str | None = None) -> Page:
    """Find sagas as `find_sagas` does.

    Raises click's ``BadParameter`` for a search field that no definition in the log has, and a place of another listing.
    """
    try:
        page = find_sagas(output.app, query, limit=limit, after=after)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--after") from error
    if query.where and not page.summaries and page.after is None:
        known = known_fields(store_of(output.app))
        for name, _ in query.where:
            if known is not None and name not in known:
                has = f"they have {', '.join(sorted(known))}" if known else "they have none"
                raise click.BadParameter(
                    f"no saga in the log was started with a search field {name!r}{did_you_mean(name, known)}; {has}",
                    param_hint="--where",
                )
    return page


def given_options(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a filter that are given, by their names on the command line, as the list of acts keeps them."""
    given = {name: value for name, value in query.items() if value or value is False}
    named: dict[str, Any] = {_OPTIONS.get(name, name): value for name, value in given.items()}
    if "where" in named:
        named["where"] = [f"{name}={value}" for name, value in named["where"]]
    if "older_than" in named:
        named["older_than"] = f"{named['older_than']:g}s"
    if named.get("paused") is False:
        named["not_paused"] = not named.pop("paused")
    return {name: list(each) if isinstance(each, tuple) else each for name, each in named.items()}


def option_words(given: Mapping[str, Any]) -> list[str]:
    """Write options that `given_options` returned, or a later release, as one would type them."""
    words: list[str] = []
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        for each in value if isinstance(value, list) else [value]:
            words += [option] if each is True else [option, shlex.quote(str(each))]
    return words


ID: Final = click.option(
    "--id", "saga_id", metavar="ID", help="This id, or with * at the end all that begin so."
)
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
        "--circuit", metavar="NAME", help="Waiting for this circuit breaker to let a call through."
    ),
    ID,
    click.option(
        "--where",
        multiple=True,
        type=field_value,
        callback=_once_each,
        metavar="FIELD=VALUE",
        help="With this value of a search field; more than once for several, all of which must fit.",
    ),
    click.option(
        "--cause",
        metavar="KEY",
        callback=_checked_cause,
        help="With this cause, as `saga stuck` names it.",
    ),
    click.option(
        "--error", metavar="TEXT", help="With this text in the last error, in letters of any case."
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
