"""What all commands share: how they are loaded, how they end, and what they print."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from celery import Celery
from celery.bin.base import CLIContext
from click import Context
from click.testing import CliRunner

import amends_commands
from amends.cli.command import command
from amends.cli.exit_codes import Exit
from amends.cli.output import Output
from amends.errors import ActRefused, ConfigurationError, LogUnavailable, NotDone, UnknownSaga

LOOK = """
import sys, celery.bin.celery as celery
from importlib.metadata import EntryPoint
for name in [name for name in sys.modules if name.partition(".")[0] in {"amends", "amends_commands"}]:
    del sys.modules[name]  # loaded with celery.bin.celery, by the entry point
before = set(sys.modules)
EntryPoint(name="saga", group="celery.commands", value="amends_commands:saga").load()
print(*sorted(set(sys.modules) - before))
"""
LOAD = """
import sys, click, redis, amends_commands
before = set(sys.modules)  # redis-py looks for opentelemetry itself
for name in amends_commands._COMMANDS:
    amends_commands.saga.get_command(click.Context(amends_commands.saga), name)
print(*set(sys.modules) - before)
"""


def ended(function, *arguments: str, app: Celery | None = None, **options):
    """Run a function as a command, and return how that ended."""
    given = CLIContext(
        app=app or Celery("shop", set_as_current=False), no_color=False, workdir=None
    )
    return CliRunner().invoke(command("try")(function), arguments, obj=given, **options)


def test_the_entry_point_imports_its_own_module_and_nothing_more():
    found = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["amends_commands"]


def test_no_command_needs_more_than_the_engine_does_before_it_is_run():
    found = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
    loaded = set(found.stdout.split())
    assert "amends.cli.lists" in loaded
    assert not loaded & {"prometheus_client", "starlette", "opentelemetry", "rich", "fakeredis"}


def test_celery_names_the_sub_command_saga():
    assert amends_commands.saga.name == "saga"


def test_the_group_takes_the_options_that_an_app_adds_to_every_command():
    amends_commands.saga.callback(an_option="of the app")


@pytest.mark.parametrize("name", amends_commands._COMMANDS)
def test_every_command_is_where_its_name_leads_and_says_the_same_of_itself(name):
    context = Context(amends_commands.saga)
    found = amends_commands.saga.get_command(context, name)
    assert found.name == name
    assert found.help.splitlines()[0] == amends_commands._COMMANDS[name][1]
    assert {"as_json", "no_color"} <= {param.name for param in found.params}


def test_help_loads_no_command():
    shown = CliRunner().invoke(amends_commands.saga, ["--help"])
    assert shown.exit_code == 0
    for name, (_, sentence) in amends_commands._COMMANDS.items():
        assert f"{name} " in shown.output
        assert sentence[:30] in shown.output


def test_a_misspelt_command_is_told_the_right_one():
    shown = CliRunner().invoke(amends_commands.saga, ["histroy"])
    assert shown.exit_code == 2
    assert "history" in shown.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnknownSaga("order-1"), 3),
        (ActRefused("order-1", "retry", "it has ended"), 4),
        (LogUnavailable("it is away"), 5),
        (ConfigurationError("no backend"), 5),
        (NotDone("what is left"), 1),
    ],
)
def test_an_error_is_one_line_on_stderr_and_a_code(error, code):
    def fail(output: Output) -> None:
        raise error

    shown = ended(fail)
    assert (shown.exit_code, shown.stdout) == (code, "")
    assert shown.stderr == f"error: {error}\n"


def test_a_bug_is_no_answer_that_a_script_may_mistake():
    def fail(output: Output) -> None:
        raise ZeroDivisionError

    shown = ended(fail)
    assert shown.exit_code == Exit.BUG
    assert "ZeroDivisionError" in shown.stderr


def test_an_interrupt_is_no_traceback():
    def fail(output: Output) -> None:
        raise KeyboardInterrupt

    shown = ended(fail)
    assert (shown.exit_code, shown.output) == (Exit.INTERRUPTED, "")


def test_a_command_without_an_app_says_how_to_name_one():
    shown = ended(lambda output: None, app=Celery("default", set_as_current=False))
    assert shown.exit_code == Exit.UNAVAILABLE
    assert "celery -A tasks saga" in shown.stderr


def test_what_a_function_returns_is_the_code_and_none_is_all_is_well():
    assert ended(lambda output: Exit.ATTENTION).exit_code == 1
    assert ended(lambda output: None).exit_code == 0


def test_json_is_one_line_and_keeps_its_letters():
    shown = ended(lambda output: output.json({"city": "Ærø", "as_json": output.as_json}), "--json")
    assert shown.stdout == '{"city": "Ærø", "as_json": true}\n'
    assert json.loads(shown.stdout)


def test_colours_are_for_terminals(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)

    def say(output: Output) -> None:
        output.line("stuck", fg="red")

    assert ended(say).output == "stuck\n"
    assert ended(say, color=True).output == "\x1b[31mstuck\x1b[0m\n"


def test_colours_are_turned_off_by_the_option_and_by_the_environment(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)

    def say(output: Output) -> None:
        output.line("stuck", fg="red")

    assert ended(say, "--no-color", color=True).output == "stuck\n"
    monkeypatch.setenv("NO_COLOR", "1")
    assert ended(say, color=True).output == "stuck\n"


def test_the_guide_has_every_exit_code():
    guide = (Path(amends_commands.__file__).parents[1] / "docs" / "operating.md").read_text()
    _, _, table = guide.partition("| exit code | means |\n")
    told = re.findall(r"^\| (\d+) \|", table.partition("\n\n")[0], flags=re.MULTILINE)
    assert set(map(int, told)) == {*Exit, 2}


def test_the_guide_has_every_command():
    guide = (Path(amends_commands.__file__).parents[1] / "docs" / "operating.md").read_text()
    _, _, table = guide.partition("| command | shows, or does |\n")
    told = re.findall(
        r"`([a-z]+)[^`]*`",
        "".join(re.findall(r"^\| ([^|]*)\|", table.partition("\n\n")[0], flags=re.MULTILINE)),
    )
    assert set(told) == set(amends_commands._COMMANDS)
