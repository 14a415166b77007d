"""The roles of people, and what each may do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a person may see and do; each may what the one before may."""

    VIEWER = "viewer"
    """Sees sagas, without inputs and outputs."""
    SUPPORT = "support"
    """Sees inputs and outputs, and cancels, pauses and resumes sagas."""
    OPERATOR = "operator"
    """Does every act on sagas, up to `BULK_BOUND` of them at once, and on schedules."""
    ADMIN = "admin"
    """Takes circuits over, and acts on any number of sagas at once."""


class Right(StrEnum):
    """What a role gives."""

    PAYLOADS = "payloads"
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"
    SKIP = "skip"
    SIGNAL = "signal"
    BULK = "bulk"
    SCHEDULES = "schedules"
    CIRCUITS = "circuits"
    UNBOUNDED = "unbounded"


BULK_BOUND: Final = 1_000
"""Sagas that an operator acts on at once at most."""

_SUPPORT: Final = frozenset({Right.PAYLOADS, Right.CANCEL, Right.PAUSE, Right.RESUME})
_OPERATOR: Final = _SUPPORT | {Right.RETRY, Right.SKIP, Right.SIGNAL, Right.BULK, Right.SCHEDULES}
RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.VIEWER: frozenset(),
    Role.SUPPORT: _SUPPORT,
    Role.OPERATOR: _OPERATOR,
    Role.ADMIN: _OPERATOR | {Right.CIRCUITS, Right.UNBOUNDED},
}


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who is signed in."""

    login: str  #: What the history keeps as ``by``.
    role: Role

    def may(self, right: str) -> bool:
        """Return whether the person has a right, by its name."""
        return right in RIGHTS[self.role]


def highest(roles: list[Role]) -> Role | None:
    """Return the role of these that may most; None of none."""
    order = [*Role]
    return max(roles, key=order.index, default=None)
