"""How a process is struck at a boundary: killed, frozen, or its saga cancelled there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from boundaries import Boundary
from claims import Claims
from processes import Process, Strand, current

from amends.store import Store


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What happens to the process. One that is frozen goes on after it was given up.

    Where its message returns, its worker noticed the death of its child, or the broker its own; else it
    is lost. A `silent` one is frozen with its whole worker, whose heartbeat ends; the others are given
    up when their time is up.
    """

    name: str
    does: Literal["kill", "freeze", "cancel"]
    message_returns: bool = False
    silent: bool = False
    goes_on: Literal["at the end", "once given up", "in the midst"] = "at the end"


KINDS: Final = (
    Kind(name="killed", does="kill"),
    Kind(name="killed, message returns", does="kill", message_returns=True),
    Kind(name="frozen to the end", does="freeze", silent=True),
    Kind(name="frozen until given up", does="freeze", goes_on="once given up"),
    Kind(name="frozen until overtaken", does="freeze", silent=True, goes_on="in the midst"),
    Kind(name="cancelled", does="cancel"),
)


@dataclass(frozen=True)
class Point:
    """Where a process may be struck. After one call and before its next one nothing leaves it."""

    process: Process
    moments: list[str]

    def __str__(self) -> str:
        return f"{self.process.role}, {', '.join(self.moments)}"

    def is_also(self, process: Process, moment: str) -> bool:
        """Tell whether a process that comes to this moment is still at this point."""
        before = moment.startswith("before") and self.moments[-1].startswith("after")
        return before and process is self.process


@dataclass(frozen=True, kw_only=True)
class Strike:
    """At which of a run's points, counted from 1, a process is struck, and how."""

    at: int
    kind: Kind


class Striker:
    """Watches the boundaries of a run, and strikes who crosses at the wanted point.

    `cancel` lets somebody cancel the saga.
    """

    def __init__(self, strike: Strike | None, *, cancel: Callable[[], None]) -> None:
        self.points: list[Point] = []
        self.struck_at: Point | None = None
        self.silent: set[int] = set()  # pids
        self.claims = Claims()
        self._strike = strike
        self._cancel = cancel
        self._frozen: Strand | None = None

    def goes_on(self, when: str) -> bool:
        """Tell whether who is frozen goes on at such a time."""
        return self._strike is not None and self._strike.kind.goes_on == when

    def cross(self, moment: str) -> None:
        """Strike the process that crosses here, if it is the one."""
        process = current()
        if process is None:
            return
        if not process.is_alive:
            process.kill()
        if self.points and self.points[-1].is_also(process, moment):
            self.points[-1].moments.append(moment)
            return
        self.points.append(Point(process, [moment]))
        if self._strike is not None and len(self.points) == self._strike.at:
            self._hit(process, self._strike.kind)
        elif self.goes_on("in the midst") and self._is_overtaken():
            self.thaw()

    def _is_overtaken(self) -> bool:
        here, there = self.points[-1], self.struck_at
        return there is not None and here.moments[0] == there.moments[0]

    def _hit(self, process: Process, kind: Kind) -> None:
        self.struck_at = self.points[-1]
        if kind.does == "kill":
            process.kill()
        elif kind.does == "cancel":
            self._cancel()
        else:
            if kind.silent:
                self.silent.add(process.pid)
            self._frozen = Strand.here()
            self._frozen.stop_here()

    def thaw(self) -> None:
        """Let who is frozen go on to its end."""
        if self._frozen is not None:
            frozen, self._frozen = self._frozen, None
            frozen.go_on()

    def end(self) -> None:
        """Let no thread be left behind."""
        if self._frozen is not None:
            self._frozen.process.is_alive = False
            self.thaw()

    def note(self, boundary: Boundary, arguments: tuple[Any, ...], answer: Any) -> None:
        """Let the claims be watched."""
        if boundary.owner is Store:
            _, script, calls = arguments
            for (_, values), each in zip(calls, answer, strict=True):
                if not isinstance(each, Exception):
                    self.claims.note(script, values, each)
