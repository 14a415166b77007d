"""What is wrong with the outbox of starts in their callers' transactions."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from amends.backend.settings import Settings
from amends.diagnosis.deployment.findings import Problem, Rule, Unseen, error, warning
from amends.outbox.backlog import OutboxState
from amends.outbox.table import Backlog

_LATE: Final = 60.0
"""Seconds after which a relay should have delivered an entry."""

_WHERE: Final = "amends_outbox_url"
_PASSWORD: Final = re.compile(r"://[^:/]*:[^@]+@|[?&]\w*passw\w*=")  # a URL as SQLAlchemy reads it


@warning("outbox.password", fine="amends_outbox_url shows no password")
def password(settings: Settings) -> Iterator[Problem]:
    """Find a password where Celery and Flower show it."""
    if _PASSWORD.search(settings.outbox_url or ""):
        yield Problem(
            what="amends_outbox_url has a password, which `celery inspect conf` and Flower show",
            where="Celery's configuration",
            remedy="keep the URL in an environment variable of the workers, and set amends_outbox_url to env://ITS_NAME",
        )


@error("outbox.away", fine="the outbox's database answers, or there is no outbox")
def _away(outbox: OutboxState) -> Iterator[Problem]:
    if outbox.reason:
        yield Problem(
            what=outbox.reason,
            where=_WHERE,
            remedy="mend that; until then no relay delivers what a crash or an outage left",
        )


@error("outbox.waiting", fine="no entry of the outbox waits for long")
def _waiting(outbox: OutboxState) -> Iterator[Problem]:
    found = _seen(outbox)
    if found.waiting and found.oldest_waiting > _LATE:
        yield Problem(
            what=f"{found.waiting:,} starts wait in the outbox, the first for {found.oldest_waiting:,.0f} s;"
            f" their sagas: {', '.join(found.sagas_waiting)}",
            where=_WHERE,
            remedy="run workers that import these definitions and have amends_outbox_url set; if they run, see their logs",
        )


@error("outbox.failing", fine="each entry of the outbox can be delivered")
def _failing(outbox: OutboxState) -> Iterator[Problem]:
    found = _seen(outbox)
    for saga_id, reason in found.errors:
        yield Problem(
            what=f"saga {saga_id} cannot be started from the outbox: {reason}",
            where=f"{_WHERE}, {found.failing:,} such entries",
            remedy="mend that: it is tried again; or delete its row in amends_outbox",
        )


def _seen(outbox: OutboxState) -> Backlog:
    if outbox.reason:
        raise Unseen
    return outbox.backlog or Backlog()


RULES: Final[Sequence[Rule[OutboxState]]] = (_away, _waiting, _failing)
