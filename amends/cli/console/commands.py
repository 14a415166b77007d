"""The console: serve it, and make the lines of its file of users."""

import importlib
from typing import Any, Final

import click

from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.output import Output
from amends.errors import ConfigurationError

PORT: Final = 5557
_ROLES: Final = ("viewer", "support", "operator", "admin")


@command("console")
@click.argument("act", required=False, type=click.Choice(["password"]))
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen at. Other than a loopback it needs users or oidc in amends_console.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Its port."
)
@click.option(
    "--proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="Believe X-Forwarded-For and -Proto of a proxy at this address; more than once for several.",
)
@click.option(
    "--login", metavar="NAME", help="With password: whose it is; asked for if it is not given."
)
@click.option("--role", type=click.Choice(_ROLES), help="With password: their role; asked for too.")
def serve_console(
    output: Output,
    *,
    act: str | None,
    host: str,
    port: int,
    proxies: tuple[str, ...],
    login: str | None,
    role: str | None,
) -> Exit | None:
    """Serve the console to browsers, until Ctrl-C.

    `console password` asks for a login, a role and a password, and prints the line of the file of users.
    """
    face = _face()
    if act == "password":
        return _print_line(output, face, login, role)
    face.serve(output.app, host=host, port=port, proxies=proxies, told=output.line)
    return None


def _face() -> Any:
    """Return the console's module, which the command line is not to import by itself."""
    try:
        return importlib.import_module("amends.console.server")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("amends"):
            raise
        raise ConfigurationError(
            f"the console needs {error.name}: install its extra, as with `pip install 'amends[console]'`"
        ) from error


def _print_line(output: Output, face: Any, login: str | None, role: str | None) -> Exit | None:
    login = login or click.prompt("Login", err=True)
    role = role or click.prompt("Role", type=click.Choice(_ROLES), err=True)
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    try:
        line = face.user_line(login, role, password)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if output.as_json:
        output.json({"line": line})
    else:
        click.echo(line)
    return None
