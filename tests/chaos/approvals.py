"""Who approves of orders in a run: early, late, twice, or two who disagree, over all faults.

Each answer is given until the log says what became of it. The verdict holds them to the saga's history.
"""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from amends import ActRefused, Handle, LogUnavailable, UnknownSaga
from amends.log.history import Event
from demo.fulfilments import PlannedFulfilment
from demo.verdict import ENDED
from tasks.orders import Approval

AT_ONCE: Final = 8
AGAIN: Final = 0.5
STEP: Final = "approval"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer that was given: its signal's id, what it says, and what the log said to it."""

    id: str
    granted: bool
    told: str

    @property
    def counts(self) -> bool:
        """Whether the log took it."""
        return self.told != "refused"


class Approvals:
    """The answers to the orders of a run; `tell` is called with each. From `close` on none is given."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._answers: dict[str, list[Answer]] = {}
        self._tell = tell
        self._closed = threading.Event()
        self._people = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="person")

    def ask(self, planned: PlannedFulfilment) -> None:
        """Have an order answered that was started; its id chooses how."""
        rng = random.Random(planned.id)  # noqa: S311 - to be repeated, not to be secret
        is_early, answers = rng.choice(_WAYS)
        for id_, as_planned in answers:
            granted = planned.granted is as_planned
            self._people.submit(self._answer, planned, id_, granted=granted, is_early=is_early)

    def of(self, saga_id: str) -> Sequence[Answer]:
        """Return what was answered to an order."""
        return self._answers.get(saga_id, [])

    def close(self) -> None:
        """Give no more answers."""
        self._closed.set()
        self._people.shutdown(cancel_futures=True)

    def _answer(
        self, planned: PlannedFulfilment, id_: str, *, granted: bool, is_early: bool
    ) -> None:
        while not self._closed.is_set():
            try:
                handle = planned.saga.get(planned.id)
                if is_early or _waits(handle):
                    told = _signal(handle, id_, granted=granted)
                    self._tell("answered", order=planned.id, id=id_, granted=granted, told=told)
                    answer = Answer(id=id_, granted=granted, told=told)
                    self._answers.setdefault(planned.id, []).append(answer)
                    return
                if handle.status in ENDED:
                    return
            except UnknownSaga:  # a failover lost it
                return
            except LogUnavailable:
                pass
            self._closed.wait(AGAIN)


# How an order is answered, each answer by somebody else at the same time: whether before it asks, and for each the signal's
# id and whether it says what was planned.
_WAYS: Final[Sequence[tuple[bool, Sequence[tuple[str, bool]]]]] = (
    (True, [("one", True)]),
    (False, [("one", True)]),
    (False, [("one", True), ("one", True)]),
    (False, [("one", True), ("other", False)]),
)


def _waits(handle: Handle[Any]) -> bool:
    return handle.snapshot().steps[STEP].state == "waiting"


def _signal(handle: Handle[Any], id_: str, *, granted: bool) -> str:
    try:
        return handle.signal(STEP, Approval(granted=granted), id=id_)
    except ActRefused:
        return "refused"


def wrongly_told(answers: Sequence[Answer], history: Sequence[Event]) -> Iterator[str]:
    """Yield what does not fit between the answers that were given, and the history of their saga."""
    noted = [event.details.get("signal") for event in history if event.name == "step.signalled"]
    for each in noted:
        if noted.count(each) > 1:
            yield f"the answer {each} is noted {noted.count(each)} times"
    for id_ in {answer.id for answer in answers}:
        told = {answer.told for answer in answers if answer.id == id_}
        if len(told) > 1:
            yield f"the answer {id_} was told {' and '.join(sorted(told))}"
    for answer in answers:
        if answer.counts != (answer.id in noted):
            yield f"the answer {answer.id} was {answer.told}, and is {'' if answer.id in noted else 'not '}in the history"
    if len({answer.id for answer in answers if answer.counts}) > 1:
        yield "two answers were taken"
    taken = [answer.granted for answer in answers if answer.counts]
    passed = [event for event in history if event.name == "step.completed"]
    if any(event.record == "check_approval" for event in passed) and not all(taken):
        yield "it went on, and the answer was no"
