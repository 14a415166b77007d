"""The frame of each command: shared options, exit codes and error messages.

A command is a function that takes an `Output` first, then its own options and arguments by name, and
returns an `Exit`, or None where all is well::

    @command("pause")
    @click.argument("saga_id")
    def pause_saga(output: Output, saga_id: str) -> Exit | None:
        '''Begin nothing more until the saga is resumed.'''

It raises the engine's own errors; the frame makes one line and an exit code of them. A line in
``amends_commands`` names it.
"""

import os
import sys
import traceback
from collections.abc import Callable
from inspect import getdoc
from typing import Any, NoReturn

import click
from celery import Celery

from amends.cli.exit_codes import Exit, exit_of
from amends.cli.output import WORDS, Output
from amends.cli.table import Cell
from amends.errors import ConfigurationError, SagaError, UnknownSaga
from amends.log.history import printable
from amends.log.queries.listing import ids_like
from amends.log.saga_log import log_of

Callback = Callable[..., Exit | None]


class _Command(click.Command):
    """A command that keeps the words that it was called with."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[WORDS] = [self.name, *args]
        return super().parse_args(ctx, args)


def command(name: str, **attributes: Any) -> Callable[[Callback], click.Command]:
    """Make a command of a function, with ``--json`` and ``--no-color``; `attributes` are click's."""

    def decorate(function: Callback) -> click.Command:
        @click.pass_context
        def callback(ctx: click.Context, /, *, as_json: bool, no_color: bool, **given: Any) -> None:
            _end(ctx, lambda: function(_output(ctx, as_json, no_color), **given))

        made = _Command(name, callback=callback, help=getdoc(function), **attributes)
        made.params = [*reversed(getattr(function, "__click_params__", [])), *_shared()]
        return made

    return decorate


def _shared() -> list[click.Parameter]:
    return [
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON, for programs."),
        click.Option(["--no-color"], is_flag=True, help="Print no colours; a pipe gets none."),
    ]


def _output(ctx: click.Context, as_json: bool, no_color: bool) -> Output:  # noqa: FBT001
    celery = ctx.find_root().obj  # Celery's own context: the app, and its --no-color
    if no_color or celery.no_color or os.environ.get("NO_COLOR"):
        ctx.color = False  # for all that click prints from here on
    app: Celery = celery.app
    if app.main == "default":  # Celery's stand-in
        raise ConfigurationError(
            "no Celery app: name the module of yours, like celery -A tasks saga list"
        )
    app.set_current()
    return Output(app, as_json=as_json)


def _end(ctx: click.Context, run: Callable[[], Exit | None]) -> NoReturn:
    try:
        code = run() or Exit.OK
    except SagaError as error:
        told = f"{error}{_meant(ctx, error)}"
        click.echo(f"{Cell('error:', {'fg': 'red', 'bold': True})} {printable(told)}", err=True)
        code = exit_of(error)
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
        raise  # click's own, which it ends well
    except Exception:  # noqa: BLE001 - told here, for Python's own code would say that a person is needed
        traceback.print_exc(file=sys.stderr)
        code = Exit.BUG
    ctx.exit(code)


def _meant(ctx: click.Context, error: SagaError) -> str:
    """Name the sagas that may have been meant by an unknown id."""
    if not isinstance(error, UnknownSaga):
        return ""
    app: Celery = ctx.find_root().obj.app
    try:
        if log_of(app).read_remembered(error.saga_id):
            return ""  # it is the one that was meant
        found = ids_like(app, error.saga_id)
    except SagaError:
        return ""
    return f" Did you mean {' or '.join(map(repr, found))}?" if found else ""
