"""The service outside, a well-behaved one, and how an activity reaches it."""

from collections import Counter
from typing import Protocol

from amends import Refused


class Ledger:
    """What the service holds: effects and tombstones by idempotency key, and how often each was made, or asked for again.

    `wrongs` are the moments at which two channels of a step were in force.
    """

    def __init__(self) -> None:
        self.in_force: set[str] = set()
        self.tombstones: set[str] = set()
        self.made: Counter[str] = Counter()
        self.undone: Counter[str] = Counter()
        self.repeated: Counter[str] = Counter()
        self.denied: set[str] = set()  # keys of which it was said that no effect is there
        self.wrongs: list[str] = []

    def make(self, key: str) -> None:
        """Take effect once under a key; refuse one that was taken back. Duplicate check first."""
        if key in self.in_force:
            self.repeated[key] += 1
            return
        if key in self.tombstones:
            raise Refused(f"{key} was taken back")
        other = key.removesuffix(":fallback") if key.endswith(":fallback") else f"{key}:fallback"
        if other in self.in_force:
            self.wrongs.append(f"{key} took effect while {other} was in force")
        self.in_force.add(key)
        self.made[key] += 1

    def undo(self, key: str) -> None:
        """Take back what was done under a key, once; without anything to undo, leave a tombstone."""
        self.tombstones.add(key)
        if key in self.in_force:
            self.in_force.remove(key)
            self.undone[key] += 1

    def find(self, key: str) -> bool:
        """Tell whether an effect is in force."""
        if key not in self.in_force:
            self.denied.add(key)
        return key in self.in_force


class _Keeps(Protocol):
    def make(self, key: str) -> None: ...
    def undo(self, key: str) -> None: ...
    def find(self, key: str) -> bool: ...


class Receiver:
    """The service as an activity calls it. `ledger` may be in another process."""

    def __init__(self, ledger: _Keeps) -> None:
        self._ledger = ledger

    def make(self, key: str) -> None:
        """Take effect."""
        self._ledger.make(key)

    def undo(self, key: str) -> None:
        """Take back."""
        self._ledger.undo(key)

    def find(self, key: str) -> bool:
        """Tell whether an effect is in force."""
        return self._ledger.find(key)
