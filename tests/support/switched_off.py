"""Tests with the fast path switched off, as `AMENDS_FAST_PATH=off` asks for: by default it is on."""

import os
from typing import Final

from amends.backend.settings import Settings
from amends.breaker.cluster_connections import connections_of
from amends.breaker.redis_access import RedisAccess
from amends.log.saga_log import SagaLog
from amends.log.store import Store

IS_OFF: Final = os.environ.get("AMENDS_FAST_PATH") == "off"


def switch_off() -> None:
    """Let every app and log of this process that says nothing else go without the fast path."""
    for made in (Settings, SagaLog, Store, RedisAccess):
        made.__init__.__kwdefaults__["fast_path"] = False
    connections_of.__kwdefaults__["fast_path"] = False
