"""What is outside of the log: messages, attempts, and receivers where effects land, late or never."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message, as a chain has it: its record, Celery's retries, the links after it."""

    path: str
    retries: int = 0
    rest: tuple[tuple[str, int], ...] = ()
    brought: str = ""

    @property
    def link(self) -> str:
        return self.rest[0][0] if self.rest else ""

    def next(self) -> "Message | None":
        """Build the message of the chain's next link."""
        if not self.rest:
            return None
        (path, retries), *rest = self.rest
        return Message(path=path, retries=retries, rest=tuple(rest))


@dataclass(kw_only=True)
class Attempt:
    """A run of an activity that the log let in. `report` is what it says, always the same."""

    message: Message
    token: str
    landed: bool = False
    will_not_land: bool = False
    report: tuple[str, dict[str, Any]] | None = None

    @property
    def path(self) -> str:
        return self.message.path

    @property
    def under_way(self) -> bool:
        """Whether its effect may still land."""
        return not (self.landed or self.will_not_land)


@dataclass(kw_only=True)
class Receiver:
    """What a service holds under one idempotency key: an effect, or the tombstone of its undo."""

    in_force: bool = False
    tombstone: bool = False
    undone: int = 0
    doubled: bool = False  # one without keys would hold it twice


@dataclass
class World:
    """Receivers by the path of the record whose key they hold, and all attempts that ever ran."""

    receivers: dict[str, Receiver] = field(default_factory=lambda: defaultdict(Receiver))
    attempts: list[Attempt] = field(default_factory=list)

    def land(self, attempt: Attempt) -> bool:
        """Let an attempt's effect arrive; answers False where a tombstone refuses it."""
        if attempt.will_not_land or attempt.path.endswith(":verify"):
            return False
        is_new, attempt.landed = not attempt.landed, True
        receiver = self.receivers[attempt.path.removesuffix(":undo")]
        if attempt.path.endswith(":undo"):
            receiver.undone += receiver.in_force
            receiver.in_force, receiver.tombstone = False, True
        elif receiver.tombstone:
            attempt.landed, attempt.will_not_land = False, True
        else:
            receiver.doubled |= receiver.in_force and is_new
            receiver.in_force = True
        return attempt.landed

    def do_by_hand(self, path: str, *, done: bool) -> None:
        """Let a person do what a record should, or undo it; of a verification, see to it that it is so."""
        if path.endswith(":verify"):
            verified = path.removesuffix(":verify")
            for each in self.attempts:
                each.will_not_land |= each.path == verified
            self.receivers[verified].in_force = done
            return
        receiver = self.receivers[path.removesuffix(":undo")]
        if path.endswith(":undo"):
            receiver.undone += receiver.in_force
            receiver.in_force, receiver.tombstone = False, True
        else:
            receiver.in_force = True

    def may_take_effect(self, path: str) -> bool:
        """Tell whether a record's effect is there, or may yet come."""
        receiver = self.receivers[path]
        if receiver.tombstone:
            return False
        return receiver.in_force or any(
            each.under_way for each in self.attempts if each.path == path
        )

    def verify(self, path: str) -> str:
        """Answer whether a record took effect: what has not landed by then never does, for that is what is waited for."""
        self._come_to_rest(path)
        return "done" if self.receivers[path].in_force else "no effect"

    def _come_to_rest(self, path: str) -> None:
        for each in self.attempts:
            if each.path == path and each.under_way:
                each.will_not_land = True

    def answer(self, attempt: Attempt, wanted: str) -> str:
        """Let a service answer an attempt in a way that is true; `wanted` where that is possible.

        The answers are done, refused, not done (its effect never comes), and unknown (who knows).
        """
        if attempt.path.endswith(":verify"):
            attempt.will_not_land = True
            is_told = wanted in ("done", "not done")
            return self.verify(attempt.path.removesuffix(":verify")) if is_told else "deferred"
        receiver = self.receivers[attempt.path.removesuffix(":undo")]
        if wanted == "done":
            return "done" if attempt.landed or self.land(attempt) else "refused"
        if wanted == "unknown":
            return wanted
        if wanted == "refused" and not attempt.path.endswith(":undo") and receiver.in_force:
            return self.answer(attempt, "done")  # duplicate check first
        if attempt.landed:
            return "unknown"
        attempt.will_not_land = True
        return wanted
