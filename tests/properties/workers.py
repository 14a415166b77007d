"""Workers and their sweeps: what the engine does around the log, with all that may go wrong."""

import json
from collections.abc import Mapping
from itertools import count
from types import MappingProxyType
from typing import Any

from amends.log.answers import Claim, Done, Publish, Run
from amends.log.in_flight import Branches, Running, Waiting
from tests.properties.checked_saga import CheckedSaga, Report
from tests.properties.claim_table_model import LONGEST
from tests.properties.log_view import view
from tests.properties.outside_world import Attempt, Message


class Workers:
    """All workers of one saga, and the messages that ever were published."""

    def __init__(self, saga: CheckedSaga) -> None:
        self.saga = saga
        self.messages: list[Message] = []
        self.taken: list[tuple[str, str]] = []  # what sweeps took over: path, their own token
        self.tokens = (f"t{n}" for n in count(1))
        if chain := saga.itinerary.first_chain:
            self.publish([(name, 0) for name in chain])

    def publish(self, records: list[tuple[str, int]]) -> Message:
        """Publish a chain: its first link goes out."""
        (path, retries), *rest = records
        message = Message(path=path, retries=retries, rest=tuple(rest))
        self.messages.append(message)
        return message

    def deliver(self, message: Message) -> Attempt | None:
        """Hand a message to a worker; answers the attempt that begins, if one does."""
        claim = self.claim_of(message)
        answer = self.saga.claim(message.path, claim, brought=message.brought)
        if isinstance(answer, Run):
            return self._attempt(message, claim.token)
        if isinstance(answer, Done):
            self._go_on(message)
        return None

    def claim_of(self, message: Message) -> Claim:
        """Claim a message's record under a new token."""
        return claim_under(next(self.tokens), message)

    def _attempt(self, message: Message, token: str) -> Attempt:
        attempt = Attempt(
            message=message, token=token, will_not_land=self._is_omitted(message.path)
        )
        self.saga.world.attempts.append(attempt)
        return attempt

    def report(
        self,
        attempt: Attempt,
        wanted: str,
        *,
        final: bool,
        wait: float,
        killed: int = 0,
        inline: bool = False,
    ) -> None:
        """Let an attempt report. It says the same each time; one that is `killed` then does no more.

        What took effect claims its chain's next link where it goes on `inline`.
        """
        message = attempt.message
        if attempt.report is None:
            answer = self._answer(attempt, wanted)
            following = message.next() if inline else None
            claim = self.claim_of(following) if following else None
            attempt.report = _report_of(attempt, answer, final=final, wait=wait, claim=claim)
        action = self.saga.end(attempt.path, attempt.token, attempt.report)
        if killed:
            return
        if action == "run":
            self._go_on_inline(message, attempt.report[1]["claim"].token)
        elif action == "go":
            self._go_on(message)
        elif action in ("advance", "stage"):
            self.advance()
        elif action == "next":
            self.publish(list(self.saga.follows[-1].records))
        elif action == "retry":
            tries = self.saga.model.records[message.path].tries
            self.publish([(message.path, tries), *message.rest])

    def _answer(self, attempt: Attempt, wanted: str) -> str:
        """Let a service answer; nobody asks one for a step whose condition is false."""
        is_omitted = self._is_omitted(attempt.path)
        return "omitted" if is_omitted else self.saga.world.answer(attempt, wanted)

    def _is_omitted(self, path: str) -> bool:
        step = self.saga.model.steps.get(path)  # an undo and a fallback have no condition
        return step is not None and not step.wanted

    def _go_on(self, message: Message) -> None:
        if following := message.next():
            self.messages.append(following)

    def _go_on_inline(self, message: Message, token: str) -> None:
        """Begin the attempt whose claim that is; one report begins one, however often it is answered."""
        following = message.next()
        assert following is not None
        if all(each.token != token for each in self.saga.world.attempts):
            self._attempt(following, token)

    def advance(
        self, longest_wait: float = LONGEST, lost: Mapping[str, str] = MappingProxyType({})
    ) -> Any:
        """Publish what remains."""
        found = self.saga.dispatch(longest_wait=longest_wait, lost=lost)
        for each in found.found if isinstance(found, Branches) else [found]:
            if isinstance(each, Publish):
                self.publish(list(each.records))
        return found

    def work(self, *, answer: str, final: bool, longest_wait: float, inline: bool = False) -> None:
        """Publish what remains, deliver it, and let it answer."""
        if attempt := self.begin(longest_wait):
            self.report(attempt, answer, final=final, wait=0.0, inline=inline)

    def begin(self, longest_wait: float = LONGEST) -> Attempt | None:
        """Publish what remains, and deliver it; answers the attempt that runs."""
        found = self.advance(longest_wait)
        if (
            self.saga.model.waiting
            and not self.saga.model.running
            and not isinstance(found, Publish | Branches)
        ):
            self._end_waits()
            return None
        if isinstance(found, Publish):
            attempt = self.deliver(self.messages[-1])
            assert attempt, f"nobody may do {found.records[0]}"
            return attempt
        if isinstance(found, Branches) and any(isinstance(each, Publish) for each in found.found):
            return self.deliver(self.messages[-1])
        running = self.saga.model.running
        if not running:
            return self._find_lost(longest_wait)
        mine = [
            each
            for each in self.saga.world.attempts
            if each.path in running and self.saga.model.holds(each.path, each.token)
        ]
        attempt = next((each for each in mine if not each.report), None)
        if attempt is None:
            self.sweep(final=False, cost="death")
            return self._find_lost(longest_wait)  # what runs may be of a stage that comes later
        return attempt

    def _end_waits(self) -> None:
        """Give what is waited for, or let its time be over."""
        self.saga.pass_the_waits()
        for path in self.saga.model.waiting:
            name, _, kind = path.partition(":")
            if self.saga.model.steps[name].child:
                self.saga.end_child(name, "compensated" if kind else "completed")
            elif self.saga.model.steps[path].wait:
                for _ in range(2):
                    self.saga.signal(path, next(self.tokens), "")

    def _find_lost(self, longest_wait: float) -> Attempt | None:
        """Publish every branch, whose messages are lost or wait; answers the attempt that one of them begins."""
        model = self.saga.model
        stage = model.stage_at_hand()
        if stage is None:
            return None
        marks = {
            paths[0]: f"{stage.name}.{branch.number}"
            for branch, paths in model.rows()
            if branch and paths
        }
        self.saga.before = view(self.saga.client, self.saga.log, self.saga.id)
        before = len(self.messages)
        self.advance(longest_wait, marks)
        return self.deliver(self.messages[-1]) if len(self.messages) > before else None

    def take_over(self, path: str, token: str) -> bool:
        """Take a claim over, as a sweep does."""
        mine = next(self.tokens)
        if not self.saga.take_over(path, mine, token):
            return False
        self.taken.append((path, mine))
        return True

    def give_up(self, path: str, token: str, *, final: bool, cost: str, wait: float) -> None:
        """End a claim that was taken over."""
        if final:
            arguments = {"unknown": True, "refused": False, "outcome": "failed", "link": ""}
            self.saga.end(path, token, ("fail", arguments))
        else:
            self.saga.end(path, token, ("retry", {"wait": wait, "unknown": True, "cost": cost}))

    def sweep(self, *, final: bool, cost: str) -> None:
        """Look, take over, give up, and publish what remains."""
        found = self.saga.dispatch(longest_wait=LONGEST, only_look=True)
        all_found = found.found if isinstance(found, Branches) else [found]
        lost = {each.path: each.mark for each in all_found if isinstance(each, Waiting)}
        ended = False
        for each in all_found:
            if isinstance(each, Running) and self.take_over(each.path, each.token):
                self.give_up(*self.taken[-1], final=final, cost=cost, wait=0.0)
                if self.saga.follows[-1].said == "next":
                    self.publish(list(self.saga.follows[-1].records))
                ended = True
        if ended or (lost and isinstance(found, Branches)):
            self.advance(lost=lost)


def claim_under(token: str, message: Message) -> Claim:
    """Claim a message's record under this token, the same each time."""
    return Claim(token=token, owner=f"boot:{token}", retries=message.retries)


def _report_of(
    attempt: Attempt, answer: str, *, final: bool, wait: float, claim: Claim | None
) -> Report:
    """Tell which script an attempt calls for its answer, with its arguments."""
    link, unknown = attempt.message.link, answer == "unknown"
    if answer == "omitted":
        return "complete", {"output": "", "link": link, "claim": claim}
    if answer == "no effect":
        return "complete", {"output": "null", "link": link, "claim": claim}
    if answer == "done":
        output = json.dumps({"by": attempt.token})
        return "complete", {"output": output, "link": link, "claim": claim}
    cost = "nothing" if answer == "deferred" else "attempt"  # an open circuit: no call was made
    if answer == "refused" or final:
        refused = answer == "refused"
        outcome = f"lost_{attempt.path.partition(':')[0]}"
        arguments = {"unknown": unknown, "refused": refused, "outcome": outcome, "link": link}
        return "fail", {**arguments, "cost": cost}
    return "retry", {"wait": wait, "unknown": unknown, "cost": cost}
