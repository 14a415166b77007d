"""Whether anybody works on the sagas, and which are paused."""

from typing import Any

from amends.cli.output import Output
from amends.log.queries.all_clear import MOST_READ, Oversight


def print_oversight(output: Output, found: Oversight) -> None:
    """Say on standard error what keeps a list without stuck sagas from being an all-clear, and count the paused ones."""
    if found.has_sagas:
        _print_paused(output, found)
    if not found.workers:
        text = "No worker is alive: nothing goes on until one is started, or can write to the saga log."
        output.line(text, fg="red", err=True)


def _print_paused(output: Output, found: Oversight) -> None:
    if not found.paused:
        return
    some = "1 saga is" if found.paused == 1 else f"{found.paused:,} sagas are"
    others = found.paused - len(found.paused_ids)
    more = f" and {others:,} more" if others else ""
    cut = f", of the first {MOST_READ:,}" if found.paused_is_cut else ""
    output.line(f"{some} paused{cut}: {', '.join(found.paused_ids)}{more}", fg="yellow", err=True)


def oversight_json(found: Oversight) -> dict[str, Any]:
    """Give how many workers live, how many sagas are paused, and whether the log never had a saga."""
    return {"workers": found.workers, "paused": found.paused, "log_is_empty": not found.has_sagas}
