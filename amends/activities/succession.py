"""What follows a step that has ended: its chain's next link, or what the log says."""

from __future__ import annotations  # Celery before 5.7 cannot subscript its classes as it runs

import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from celery.utils.log import get_task_logger

from amends.activities.inline import InlineStep, Link, may_run_inline
from amends.activities.message import Message
from amends.backend.settings import settings_of
from amends.definition.itinerary import Itinerary
from amends.dispatch import fast_path
from amends.dispatch.canvas import reversed_links
from amends.dispatch.coordinator import publish, publish_found
from amends.dispatch.messages import bounded, publishing_if_possible, send_advance, stop_chain
from amends.dispatch.remaining import dispatched
from amends.errors import LogUnavailable
from amends.log.answers import Advance, Claim, Continuation, Next, Run, Stage
from amends.log.delivery import Delivery
from amends.log.in_flight import Branches, Dispatched, Publish
from amends.log.saga_log import SagaLog

_logger = get_task_logger(__name__)


def next_link(rest: Sequence[dict[str, Any]] | None) -> Link | None:
    """Return the next link of what is left of a chain, which Celery keeps reversed."""
    return _link(rest[-1]) if rest else None


def _link(message: dict[str, Any]) -> Link:
    options = message["options"]
    return Link(
        path=message["kwargs"].get("step", ""),
        task_id=options["task_id"],
        retries=options.get("retries", 0),
        message=message,
    )


class Succession:
    """What follows the step that an `ActivityTask` does under a message.

    owner: of its claims.
    """

    def __init__(
        self,
        task: Any,
        log: SagaLog,
        saga_id: str,
        message: Message,
        itinerary: Itinerary,
        *,
        owner: str,
    ) -> None:
        self._task = task
        self._request = task.request  # which Celery looks up each time
        self._log = log
        self._saga_id = saga_id
        self._message = message
        self._itinerary = itinerary
        self._owner = owner

    def claim_of(self, link: Link) -> Claim:
        """Return a claim of a link, to go on with it under this message."""
        return Claim(token=secrets.token_hex(8), owner=self._owner, retries=link.retries)

    def may_go_on(self, path: str) -> bool:
        """Return whether a record may run under this message, and there is time for it."""
        return (
            self._itinerary.dispatch == "inline"
            and time.monotonic() < self._message.until
            and may_run_inline(self._task.app, self._itinerary.records[path], self._saga_id)
        )

    def go_on(self, link: Link, claim: Claim, run: Run, rest: list[dict[str, Any]]) -> None:
        """Let a link that was claimed run next under this message. `rest` is the chain after it, reversed."""
        headers = self._request.headers
        self._message.go_on_with(
            InlineStep(link=link, run=run, token=claim.token, rest=rest, headers=headers)
        )

    def follow(self, follows: Continuation, *, may_go_on: bool = False) -> None:
        """Publish what the log says follows, unless that is the chain's next link.

        may_go_on: whether a chain of it may run under this message.
        """
        app, saga_id = self._task.app, self._saga_id
        match follows:
            case Advance(number=number):
                send_advance(app, saga_id, number)
            case Stage():
                with publishing_if_possible(saga_id):
                    found = dispatched(app, saga_id, settings_of(app).max_countdown)
                    publish_found(app, saga_id, self._without_own(found) if may_go_on else found)
            case Next():
                chain = follows.of(self._itinerary)
                with publishing_if_possible(saga_id):
                    if not (may_go_on and self._goes_on_with(chain)):
                        publish(app, saga_id, chain)

    def _without_own(self, found: Dispatched) -> Dispatched:
        """Go on with one of the branches that a dispatch found, if one may run here. Returns the others."""
        if not isinstance(found, Branches):
            return found
        for each in found.found:
            if isinstance(each, Publish) and self.may_go_on(each.records[0][0]):
                if self._goes_on_with(each):
                    return replace(found, found=[other for other in found.found if other != each])
                break
        return found

    def _goes_on_with(self, chain: Publish) -> bool:
        """Claim the first record of a chain, to go on with it under this message. Returns whether it does."""
        if chain.wait or chain.copied_at or not self.may_go_on(chain.records[0][0]):
            return False
        *rest, first = reversed_links(self._task.app, self._saga_id, chain)
        link = _link(first)
        claim = self.claim_of(link)
        try:
            run = self._log.claim_step(
                self._saga_id,
                link.path,
                token=claim.token,
                owner=claim.owner,
                retries=claim.retries,
            )
        except LogUnavailable:
            return False  # of a claim that has landed all the same a sweep finds that nothing runs under it
        if not isinstance(run, Run):
            return False
        self.go_on(link, claim, run, rest)
        return True

    def delivery(self) -> Delivery | None:
        """Return the message of the chain's next link, for the log's script to deliver; None where it cannot."""
        rest = self._rest()
        try:
            found = fast_path.deliveries(self._task.app, [self._saga_id], rest) if rest else None
        except Exception:
            _logger.exception(
                "saga %s: the next message is published once this step is done", self._saga_id
            )
            return None
        return found[0] if found else None

    def publish_rest(self) -> None:
        """Publish the chain's next link, as Celery would when the task is done, and for less where the fast path takes it.

        Where that raises, Celery would take the finished task for a failed one.
        """
        rest = self._rest()
        if rest is None:
            return
        link, remaining = self._request.chain[-1], self._request.chain[:-1]
        stop_chain(self._request)
        with publishing_if_possible(self._saga_id):
            if not fast_path.publish(self._task.app, [self._saga_id], rest):
                with bounded(self._task.app) as how:
                    self._task.app.signature(link).apply_async(chain=remaining, **how)

    def _rest(self) -> Publish | None:
        """Return what is left of the message's chain, as if it were to be published anew; None if nothing is."""
        links: Any = (self._request.chain or ())[::-1]
        if not links:
            return None
        prefix = f"{self._saga_id}."
        number = links[0]["options"]["task_id"].removeprefix(prefix).partition(".")[0]
        return Publish(
            itinerary=self._itinerary,
            number=int(number),
            wait=0.0,
            records=[(link["kwargs"]["step"], link["options"].get("retries", 0)) for link in links],
        )
