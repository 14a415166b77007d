"""How a process is struck at a boundary: killed, frozen, or its saga cancelled there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from amends.backend.scripts import of_any_kind
from tests.explorer.boundaries import Boundary
from tests.explorer.claims import Claims
from tests.explorer.processes import Process, Strand, current


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What happens to the process. One that is frozen goes on after it was given up.

    Where its message returns, its worker noticed the death of its child, or the broker its own; else it
    is lost. A `silent` one is frozen with its whole worker, whose heartbeat ends; the others are given
    up when their time is up. One that is cut off gets no answer, or its call does not arrive; where that
    `lasts`, all its calls there fail from then on.
    """

    name: str
    does: Literal["kill", "freeze", "cancel", "cut"]
    message_returns: bool = False
    silent: bool = False
    goes_on: Literal["at the end", "once given up", "in the midst"] = "at the end"
    lasts: bool = False


KINDS: Final = (
    Kind(name="killed", does="kill"),
    Kind(name="killed, message returns", does="kill", message_returns=True),
    Kind(name="frozen to the end", does="freeze", silent=True),
    Kind(name="frozen until given up", does="freeze", goes_on="once given up"),
    Kind(name="frozen until overtaken", does="freeze", silent=True, goes_on="in the midst"),
    Kind(name="cancelled", does="cancel"),
    Kind(name="one call fails", does="cut"),
    Kind(name="cut off", does="cut", lasts=True),
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

    `cancel` lets somebody cancel the saga, `now` tells the world's time in seconds, `branch_of` the branch of a record.
    """

    def __init__(
        self,
        strike: Strike | None,
        *,
        cancel: Callable[[], None],
        now: Callable[[], float],
        branch_of: Callable[[str], str],
    ) -> None:
        self.points: list[Point] = []
        self.struck_at: Point | None = None
        self.silent: set[int] = set()  # pids
        self.claims = Claims(now, branch_of)
        self._strike = strike
        self._cancel = cancel
        self._frozen: Strand | None = None

    def goes_on(self, when: str) -> bool:
        """Tell whether who is frozen goes on at such a time."""
        return self._strike is not None and self._strike.kind.goes_on == when

    @property
    def costs_an_owner(self) -> bool:
        """Whether who was struck had a claim, and could not end it."""
        if self._strike is None or self.struck_at is None or self._strike.kind.does == "cancel":
            return False
        if self._strike.kind.does == "cut":
            return self._strike.kind.lasts and "claim_step" not in self.struck_at.moments[0]
        return True

    @property
    def stops_somebody(self) -> bool:
        """Whether who was struck lives, and does no more."""
        return self._strike is not None and self._strike.kind.does == "freeze"

    def cross(self, boundary: Boundary, moment: str) -> None:
        """Strike the process that crosses here, if it is the one."""
        process = current()
        if process is None:
            return
        if not process.is_alive:
            process.kill()
        if process.is_cut_off_from is boundary.owner:
            raise boundary.fails("cut off")
        if self._is_one_point(process, moment):
            self.points[-1].moments.append(moment)
            return
        self.points.append(Point(process, [moment]))
        if self._strike is not None and len(self.points) == self._strike.at:
            self._hit(process, boundary, self._strike.kind)
        elif self.goes_on("in the midst") and self._is_overtaken():
            self.thaw()

    def _is_one_point(self, process: Process, moment: str) -> bool:
        is_cut = (
            self._strike is not None and self._strike.kind.does == "cut"
        )  # no answer, or no call
        return not is_cut and bool(self.points) and self.points[-1].is_also(process, moment)

    def _is_overtaken(self) -> bool:
        here, there = self.points[-1], self.struck_at
        return there is not None and here.moments[0] == there.moments[0]

    def _hit(self, process: Process, boundary: Boundary, kind: Kind) -> None:
        self.struck_at = self.points[-1]
        if kind.does == "kill":
            process.kill()
        elif kind.does == "cancel":
            self._cancel()
        elif kind.does == "cut":
            if boundary.fails is None:
                return
            if kind.lasts:
                process.is_cut_off_from = boundary.owner
            raise boundary.fails("cut off")
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
        if boundary.method == "try_many":
            _, script, calls = arguments
            for (_, values), each in zip(calls, answer, strict=True):
                if not isinstance(each, Exception):
                    self.claims.note(of_any_kind(script), values, each)
