"""The operator's name and reason, which the history keeps of each act."""

import getpass
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


def signed(function: Function) -> Function:
    """Give a command the options `why` and `by`."""
    why = click.option(
        "--why", metavar="TEXT", help="The reason, for the history; asked for if it is not given."
    )
    by = click.option(
        "--by", metavar="NAME", help="Who does it; your login name, if it is not given."
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
    """Return who was named, or who is logged in."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"
