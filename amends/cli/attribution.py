"""The operator's name and reason, which the history keeps of each act."""

import getpass
import os
import socket
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from celery import current_app
from celery.utils.imports import symbol_by_name

from amends.backend.settings import settings_of

Function = TypeVar("Function", bound=Callable[..., Any])


def signed(function: Function) -> Function:
    """Give a command the options `why` and `by`."""
    why = click.option(
        "--why", metavar="TEXT", help="The reason, for the history; asked for if it is not given."
    )
    by = click.option(
        "--by",
        metavar="NAME",
        help="Who does it; if it is not given, who amends_operator says, or your login name.",
    )
    return why(by(function))


def can_be_asked() -> bool:
    """Whether a person is there to answer."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def reason_of(why: str | None) -> str:
    """Return the reason that was given, or ask for it. Raises click's ``UsageError`` where nobody can be asked."""
    if why is None and can_be_asked():
        why = click.prompt("Why? (for the history)", err=True)
    if why is None or not why.strip():
        raise click.UsageError("say why: --why 'the bank is back' goes into the history")
    return why.strip()


def name_of(by: str | None) -> str:
    """Return who was named, or who acts by `amends_operator`, or who is logged in.

    A login as root says nothing of a person, as in a container: then the host is named too. Raises click's ``UsageError`` if
    `amends_operator` names nobody.
    """
    if by:
        return by
    operator = settings_of(current_app).operator
    if operator is not None:
        return _named_by(operator)
    try:
        login = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        login = f"uid {os.getuid()}"
    return f"root@{socket.gethostname()}" if login == "root" else login


def _named_by(operator: str) -> str:
    """Return what `amends_operator` says: the text of an environment variable, or what a function returns."""
    if ":" not in operator:
        name: Any = os.environ.get(operator, "")
        lacking = f"the environment variable {operator}, which amends_operator names, is not set"
    else:
        try:
            name = symbol_by_name(operator)()
        except Exception as error:
            raise click.UsageError(
                f"{operator}, which amends_operator names, raised {type(error).__name__}: {error}; say who acts by --by"
            ) from error
        lacking = f"{operator}, which amends_operator names, returned {name!r:.100}"
    if not isinstance(name, str) or not name.strip():
        raise click.UsageError(f"{lacking}: say who acts by --by")
    return name.strip()
