"""The fast path's switch: which shortcuts this process takes past its libraries, and why not the others.

A shortcut leans on what a library does not promise. So it is optional: where a name that it needs is missing, or
anything in it raises, this process goes by the library's own calls from then on, and one line of the log says so.
``amends_fast_path = False`` in Celery's configuration takes none.
"""

import logging
import sys
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, Final

from amqp.exceptions import AMQPError
from celery.exceptions import SoftTimeLimitExceeded
from kombu.exceptions import LimitExceeded, OperationalError
from redis.exceptions import RedisError

_PASSED_ON: Final = (
    *(RedisError, OperationalError, LimitExceeded, AMQPError, OSError),
    SoftTimeLimitExceeded,
)
_LIBRARIES: Final = sys.stdlib_module_names.union(
    ("celery", "kombu", "amqp", "vine", "redis", "hiredis")
)
"""Whose errors a shortcut may raise. Any other one strikes in it: a signal handler's, a greenlet's timeout."""

_logger = logging.getLogger(__name__)


def is_lost_connection(error: Exception) -> bool:
    """Tell whether kombu, or its transport, asked for something of a connection that it has let go of.

    It tries again on a channel that it has closed (``Producer._publish`` in kombu/messaging.py), and asks None.
    """
    if not isinstance(error, AttributeError) or error.obj is not None:
        return False
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = trace.tb_frame.f_globals.get("__name__", "") if trace else ""
    return module.partition(".")[0] in ("kombu", "amqp")


class Shortcut:
    """One part of the fast path.

    name: what it makes cheaper, in a few words.
    instead: what is used where it is off.
    needs: the names that it leans on, each with its owner; asked for once, when it is first wanted.
    """

    def __init__(
        self, name: str, *, instead: str, needs: Callable[[], Iterable[tuple[object, str]]]
    ) -> None:
        self.name = name
        self.instead = instead
        self.needs = needs
        self.why_off = ""
        SHORTCUTS.append(self)

    @cached_property  # which most messages ask for, and so is an attribute
    def is_on(self) -> bool:
        """Whether this process takes it, as far as the libraries go."""
        try:
            missing = [_named(*each) for each in self.needs() if not hasattr(*each)]
        except Exception as error:  # noqa: BLE001 - a module that is elsewhere, whatever that raises
            self.give_up(error)
        else:
            if missing:
                self._switch_off(f"there is no {', no '.join(missing)}")
        return not self.why_off

    def give_up(self, error: Exception) -> None:
        """Take it no more: `error` was raised in it.

        Raises an error that says nothing about a shortcut: a server's, a connection's, a time limit that struck in
        it, and one of a class that no library has, which is whoever's who raised it.
        """
        is_foreign = type(error).__module__.partition(".")[0] not in _LIBRARIES
        if is_foreign or isinstance(error, _PASSED_ON) or is_lost_connection(error):
            raise error
        self._switch_off(f"it raised {type(error).__name__}: {error}")

    def look_anew(self) -> None:
        """Forget what was found missing, and what was raised."""
        self.why_off = ""
        vars(self).pop("is_on", None)

    def _switch_off(self, why: str) -> None:
        self.is_on = False
        if not self.why_off:
            self.why_off = why
            _logger.warning(
                "the fast path for %s is off, %s instead: %s", self.name, self.instead, why
            )


SHORTCUTS: Final[list[Shortcut]] = []
"""All shortcuts of the rooms that are loaded."""


def shortcuts_off() -> dict[str, str]:
    """Name the shortcuts that this process cannot take, each with the reason."""
    return {each.name: each.why_off for each in SHORTCUTS if not each.is_on}


def _named(owner: Any, name: str) -> str:
    parts = (getattr(owner, "__module__", ""), owner.__name__, name)
    return ".".join(each for each in parts if each)
