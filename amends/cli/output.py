"""The output of a command: text in columns and colours, or JSON for programs."""

import shlex
import shutil
import sys
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import click
from celery import Celery

from amends.backend.settings import settings_of
from amends.backend.url import address_of
from amends.cli.formatting import json_text
from amends.cli.table import Cell, Column, table_lines
from amends.log.queries.listing import has_sagas
from amends.log.saga_log import SagaLog, log_of

WORDS: Final = "amends.words"
"""Key of click's `Context.meta` for the words that a command was called with, its name the first."""


class Output:
    """Where a command prints, and what it works on: the Celery app, and its saga log."""

    def __init__(self, app: Celery, *, as_json: bool) -> None:
        self.app = app
        self.as_json = as_json
        self._shown = ""

    @cached_property
    def log(self) -> SagaLog:
        """The app's saga log. Raises `ConfigurationError`."""
        return log_of(self.app)

    @property
    def is_terminal(self) -> bool:
        """Whether a person sees this now; a pipe or a file gets lines as long as they are."""
        return sys.stdout.isatty()

    @property
    def width(self) -> int | None:
        """How many columns a line has; None where it may be of any length."""
        return shutil.get_terminal_size().columns if self.is_terminal else None

    def command_line(self, *words: str) -> str:
        """Write a command as one would type it: called as this one was, up to ``saga``."""
        called = sys.argv[: sys.argv.index("saga")] if "saga" in sys.argv else ["celery"]
        name = Path(called[0]).name
        program = [name.replace("__main__.py", "celery"), *called[1:], "saga"]
        return " ".join([shlex.join(program), *words])

    def command_again(self, *, without: Collection[str], words: Sequence[str]) -> str:
        """Write the command that runs now as one would type it again.

        without: options with a value that it is to leave out.
        words: to be added.
        """
        called = iter(click.get_current_context().meta[WORDS])
        kept: list[str] = []
        for word in called:
            if word in without:
                next(called, None)
            elif word.partition("=")[0] not in without:
                kept.append(word)
        return self.command_line(shlex.join([*kept, *words]))

    def json(self, document: Any) -> None:
        """Print a JSON document on one line."""
        click.echo(json_text(document))

    def line(self, *pieces: Cell | str, err: bool = False, **style: Any) -> None:
        """Print one line; `style` is `click.style`'s, for the pieces that are text."""
        cells = [each if isinstance(each, Cell) else Cell(each, style) for each in pieces]
        click.echo("".join(map(str, cells)), err=err)

    def note_if_empty(self) -> bool:
        """Say on standard error if the log has no saga at all, which an all clear would hide; return whether it has none."""
        if has_sagas(self.app):
            return False
        where = address_of(settings_of(self.app).backend)
        text = f"This log has no saga yet: {where}. Is amends_backend the right one?"
        click.secho(text, fg="yellow", err=True)
        return True

    def screen(self, lines: Sequence[str], *, anew: bool) -> None:
        """Print many lines at once; `anew` on a terminal, where they are not what is there already."""
        text = "\n".join(lines)
        if anew and self.is_terminal:
            if text == self._shown:
                return
            click.clear()
        self._shown = text
        click.echo(text)

    def table(
        self,
        columns: Sequence[Column | str],
        rows: Iterable[Sequence[Cell | str]],
        *,
        err: bool = False,
    ) -> None:
        """Print a table, fitted to the terminal; to standard error where it goes with a question."""
        for line in table_lines(columns, [*rows], width=self.width):
            click.echo(line, err=err)
