"""A message of a saga in its worker: the step at hand, and the chain that it brought."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

from celery import Celery
from celery.utils.log import get_task_logger

from amends.activities.inline import InlineStep, Link
from amends.definition.itinerary import Itinerary
from amends.dispatch import fast_path
from amends.dispatch.canvas import INLINE_FOR
from amends.log.answers import Publish
from amends.log.delivery import Delivery
from amends.log.saga_log import SagaLog

_logger = get_task_logger(__name__)


@dataclass(kw_only=True)
class Message:
    """A message of a saga in its worker. Steps run under it one after the other, first its own."""

    task_id: str  #: Of its own step; a worker's heartbeat names it.
    #: Its error callback, which Celery is given once the activity's own task runs: what fails before that, as in a hook of
    #: the app's, would be published anew at once, and without end. Its due entry takes longer each time.
    errbacks: Any = None
    until: float = field(default_factory=lambda: time.monotonic() + INLINE_FOR)
    """No step begins under it after that, as of ``time.monotonic()``."""
    inline: InlineStep | None = None  #: The step at hand, if it is another than the message's own.
    next: InlineStep | None = None  #: The step that is claimed to follow.
    log: SagaLog | None = None  #: Of its saga, from the first step on.

    @property
    def at_hand(self) -> str:
        """The task id of the step at hand."""
        return self.inline.link.task_id if self.inline else self.task_id

    def give_errbacks(self, request: Any) -> None:
        """Give Celery the error callback of its own step."""
        if self.errbacks and not self.inline:
            request.errbacks = self.errbacks

    def withhold_errbacks(self, request: Any) -> None:
        """Let Celery call no error callback: what follows is published without it."""
        request.errbacks = None

    def go_on_with(self, step: InlineStep) -> None:
        """Let a step that was claimed follow the one at hand."""
        self.next = step

    def begin_next(self) -> InlineStep | None:
        """Make the step that was claimed to follow the one at hand; None if there is none."""
        if self.next is None:
            return None
        self.inline, self.next = self.next, None
        return self.inline


CURRENT: Final[ContextVar[Message | None]] = ContextVar("amends_message", default=None)


def message_of(task_id: str | None) -> Message:
    """Return the message that the step of this task id runs under.

    No step follows under it where Celery's tracer was not this library's to wrap, as with ``apply``.
    """
    message = CURRENT.get()
    if message is None or message.at_hand != task_id:
        return Message(task_id=task_id or "", until=0.0)
    return message


def next_link(chain: Sequence[dict[str, Any]] | None) -> Link | None:
    """Return the next link of a message's chain, which Celery keeps reversed."""
    return link_of(chain[-1]) if chain else None


def link_of(message: dict[str, Any]) -> Link:
    """Read a link of a chain."""
    options = message["options"]
    return Link(
        path=message["kwargs"].get("step", ""),
        task_id=options["task_id"],
        retries=options.get("retries", 0),
        message=message,
    )


def remaining_chain(
    chain: Sequence[dict[str, Any]] | None, saga_id: str, itinerary: Itinerary
) -> Publish | None:
    """Return what is left of a message's chain, as if it were to be published anew; None if nothing is."""
    links: Any = (chain or ())[::-1]
    if not links:
        return None
    number = links[0]["options"]["task_id"].removeprefix(f"{saga_id}.").partition(".")[0]
    return Publish(
        itinerary=itinerary,
        number=int(number),
        wait=0.0,
        records=[(link["kwargs"]["step"], link["options"].get("retries", 0)) for link in links],
    )


def delivery_of(app: Celery, saga_id: str, rest: Publish | None) -> Delivery | None:
    """Return the message of the rest of a chain, for the log's script to deliver; None where it cannot."""
    try:
        found = fast_path.deliveries(app, [saga_id], rest) if rest else None
    except Exception:
        _logger.exception("saga %s: its next message follows after this step", saga_id)
        return None
    return found[0] if found else None
