"""The outbox's relay of a worker, in a thread of its own: a database that hangs keeps no sweep."""

import logging
import threading
from functools import partial
from typing import Final

from celery import Celery

from amends.backend.outage_lines import OUTAGE
from amends.backend.own_threads import round_of_own_thread
from amends.backend.settings import settings_of
from amends.errors import ConfigurationError, LogUnavailable, OutboxUnavailable
from amends.outbox.adapters import database_of
from amends.outbox.relay import Relay
from amends.worker.jitter import jittered

_logger: Final = logging.getLogger(__name__)


def start_relay(app: Celery, ends: threading.Event) -> None:
    """Deliver what is left in the outbox, now and then until the worker ends, if there is one."""
    if settings_of(app).outbox_url is not None:
        act = partial(_loop, app, ends)
        threading.Thread(target=act, name="amends-outbox", daemon=True).start()


def _loop(app: Celery, ends: threading.Event) -> None:
    relay: Relay | None = None
    while not ends.wait(jittered(settings_of(app).sweep_interval)):
        try:
            if relay is None and (database := database_of(app)):
                relay = Relay(app, database)
            while relay is not None and _look(relay) and not ends.is_set():
                pass
        except (OutboxUnavailable, LogUnavailable, ConfigurationError) as error:
            OUTAGE.warn(_logger, "the outbox is left to the next look: %s", error)
        except Exception:
            _logger.exception("a look at the outbox failed; the next one tries again")


def _look(relay: Relay) -> bool:
    """Deliver a batch; return whether more is due."""
    with round_of_own_thread():  # receivers of `saga_started` may be anything
        return relay.run_once()
