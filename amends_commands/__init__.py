"""``celery saga``: what its commands are called, and where each is.

Every `celery` command imports this module, also in projects that only happen to have amends installed. So it
stands beside the package, whose import is the whole engine's, and loads a command when it is called.
"""

import importlib
from typing import Any, Final

import click
from click_didyoumean import DYMGroup

_COMMANDS: Final = {
    "stuck": (
        "amends.cli.lists:list_stuck",
        "List sagas that wait for an operator, the oldest first; exit code 1 if there is any.",
    ),
    "list": ("amends.cli.lists:list_sagas", "List sagas, those first that moved last."),
    "show": ("amends.cli.history:show_saga", "Show one saga: its steps with do and undo."),
    "explain": (
        "amends.cli.explain:explain_saga",
        "Say why a saga stands where it is, what happens next, and what an operator can do.",
    ),
    "history": (
        "amends.cli.history:show_history",
        "Show what happened to a saga, in order; times are UTC.",
    ),
    "retry": (
        "amends.cli.acts:retry_sagas",
        "Let sagas try again now: each undo that failed for good, and what comes next.",
    ),
    "skip": ("amends.cli.acts:skip_step", "Pass over a step that you did, or undid, by hand."),
    "cancel": (
        "amends.cli.acts:cancel_sagas",
        "Cancel sagas: they begin nothing more, and undo what was done.",
    ),
    "pause": (
        "amends.cli.acts:pause_sagas",
        "Let sagas begin nothing more until they are resumed; what runs may still finish.",
    ),
    "resume": ("amends.cli.acts:resume_sagas", "Let paused sagas go on."),
    "signal": (
        "amends.cli.acts:signal_sagas",
        "Give sagas a signal that they wait for, or will wait for.",
    ),
    "acts": (
        "amends.cli.operator_acts.commands:list_acts",
        "List what operators did to sagas, circuit breakers and schedules, the newest first.",
    ),
    "stats": (
        "amends.cli.stats:show_stats",
        "Count sagas by status and by the step they stand at, and show who works on them.",
    ),
    "breakers": (
        "amends.cli.breakers.commands:list_breakers",
        "List the circuit breakers of the app, and how they stand.",
    ),
    "breaker": (
        "amends.cli.breakers.commands:show_breaker",
        "Show a circuit breaker, the sagas that wait for it and its last transitions, or take it over.",
    ),
    "schedules": (
        "amends.cli.schedules.commands:list_schedules",
        "List the schedules that workers have written into the saga log, and how they stand.",
    ),
    "schedule": (
        "amends.cli.schedules.commands:show_schedule",
        "Show a schedule and what happened to it last, or act on it.",
    ),
    "metrics": ("amends.cli.metrics:serve_metrics", "Serve metrics to Prometheus, until Ctrl-C."),
    "console": (
        "amends.cli.console.commands:serve_console",
        "Serve the console to browsers, until Ctrl-C.",
    ),
    "doctor": (
        "amends.cli.doctor:examine_app",
        "Look for what would break sagas, in settings, Redis, broker and workers.",
    ),
}


class _LazyGroup(DYMGroup):  # type: ignore[misc]  # it has no types
    """A group whose help names every command without loading one."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])


# Celery gives it the options that an app has added to all commands.
@click.group(
    cls=_LazyGroup,
    help="See every saga, and repair any saga.",
    epilog="Exit codes: 0 all is well; 1 an operator is needed, or not all was done; 2 wrong usage; 3 there is no such"
    " saga; 4 refused, nothing was done; 5 the saga log cannot be reached, or is not configured.",
)
def saga(**_: Any) -> None:
    """See every saga, and repair any saga."""
