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


@dataclass
class World:
    """Receivers by the path of the record whose key they hold, and all attempts that ever ran."""

    receivers: dict[str, Receiver] = field(default_factory=lambda: defaultdict(Receiver))
    attempts: list[Attempt] = field(default_factory=list)

    def land(self, attempt: Attempt) -> bool:
        """Let an attempt's effect arrive; answers False where a tombstone refuses it."""
        if attempt.will_not_land:
            return False
        attempt.landed = True
        receiver = self.receivers[attempt.path.removesuffix(":undo")]
        if attempt.path.endswith(":undo"):
            receiver.undone += receiver.in_force
            receiver.in_force, receiver.tombstone = False, True
        elif receiver.tombstone:
            attempt.landed, attempt.will_not_land = False, True
        else:
            receiver.in_force = True
        return attempt.landed

    def do_by_hand(self, path: str) -> None:
        """Let a person do what a record should, or undo it."""
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

    def answer(self, attempt: Attempt, wanted: str) -> str:
        """Let a service answer an attempt in a way that is true; `wanted` where that is possible.

        The answers are done, refused, not done (its effect never comes), and unknown (who knows).
        """
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
