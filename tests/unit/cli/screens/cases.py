"""The commands of the golden screens, in the order in which they are typed: those that act come last."""

from typing import Final

from tests.unit.cli.screens.world import LONG_ID

_WHY: Final = ("--why", "the payment service answers again", "--by", "ada")

CASES: Final = {
    "help": ("--help",),
    "stuck": ("stuck",),
    "list": ("list",),
    "list_paused": ("list", "--paused"),
    "list_of_an_error": ("list", "--status", "stuck", "--error", "server"),
    "list_of_none": ("list", "--saga", "refund"),
    "show_stuck": ("show", "order-1003"),
    "show_completed": ("show", "order-1001", "--output"),
    "show_paused": ("show", "order-1006"),
    "show_stages": ("show", "f-2002"),
    "show_unknown": ("show", "order-1008"),
    "explain_stuck": ("explain", LONG_ID),
    "explain_circuit": ("explain", "order-1005"),
    "explain_paused": ("explain", "order-1006"),
    "explain_delayed": ("explain", "order-1007"),
    "explain_approval": ("explain", "f-2001"),
    "explain_stages": ("explain", "f-2002"),
    "explain_compensated": ("explain", "order-1002"),
    "history_compensated": ("history", "order-1002"),
    "history_stuck": ("history", "order-1003"),
    "stats": ("stats",),
    "breakers": ("breakers",),
    "breaker_forced": ("breaker", "shipping"),
    "breaker_closed": ("breaker", "payments.primary"),
    "schedules": ("schedules",),
    "schedule": ("schedule", "settlement"),
    "doctor": ("doctor",),
    "doctor_verbose": ("doctor", "--verbose"),
    "metrics_help": ("metrics", "--help"),
    "retry_dry_run": ("retry", "--saga", "order", "--all", "--dry-run"),
    "retry_without_yes": ("retry", "--saga", "order"),
    "skip": ("skip", "order-1003", "process_payment", *_WHY),
    "retry_refused": ("retry", "order-1001", *_WHY),
    "retry_many": ("retry", "--saga", "order", "--all", "--yes", *_WHY),
    "cancel": ("cancel", "order-1007", *_WHY),
    "pause": ("pause", "f-2002", *_WHY),
    "resume": ("resume", "order-1006", *_WHY),
    "signal": ("signal", "f-2001", "approval", "--data", '{"granted": false}', "--by", "bob"),
    "acts": ("acts",),
}
