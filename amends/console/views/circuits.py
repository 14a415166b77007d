"""Circuit breakers, as their page shows them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from celery import Celery

from amends.breaker.circuits import circuits
from amends.breaker.control import Control
from amends.breaker.definition import breakers
from amends.breaker.snapshot import CircuitEvent, CircuitSnapshot
from amends.breaker.states import CircuitState
from amends.log.queries.circuit_waits import CircuitWaits
from amends.log.saga_log import log_of

MEANINGS: Final[Mapping[CircuitState, str]] = {
    CircuitState.CLOSED: "Every call goes through.",
    CircuitState.OPEN: "No call goes through until its time is over; then one finds out whether the service is back.",
    CircuitState.HALF_OPEN: "A few calls go through, to see whether the service is back.",
    CircuitState.FORCED_OPEN: "An operator lets no call through.",
    CircuitState.DISABLED: "An operator lets every call through, and nothing is counted.",
}
_ACTS: Final[Mapping[str, tuple[Callable[..., None], str]]] = {
    "clear": (Control.clear_override, "Its own state decides again."),
    "close": (
        Control.reset,
        "It is closed, all counts are zeroed, and an operator's decision is taken away.",
    ),
    "open": (
        Control.force_open,
        "No call goes through. Sagas whose steps need it wait until you clear or close it.",
    ),
    "disable": (
        Control.disable,
        "Every call goes through, and failures are not counted, until you clear or close it.",
    ),
}
_SHOWN: Final = 10
_LOOKED_AT: Final = 2_000  # sagas that are looked at for those that wait
_AWAY: Final = (CircuitState.OPEN, CircuitState.FORCED_OPEN)
_OVERRIDES: Final = (CircuitState.FORCED_OPEN, CircuitState.DISABLED)


@dataclass(frozen=True, kw_only=True)
class CircuitView:
    """A circuit at one moment, with its last transitions, the newest first."""

    name: str
    seen: CircuitSnapshot
    events: Sequence[CircuitEvent]
    waiting: int  #: Sagas that wait for it.
    is_cut: bool  #: Whether more may: not all were looked at.

    @property
    def is_calm(self) -> bool:
        """Whether calls go through as they should."""
        return self.seen.state is CircuitState.CLOSED

    @property
    def meaning(self) -> str:
        """What its state does to calls."""
        return MEANINGS[self.seen.state]

    @property
    def acts(self) -> Sequence[tuple[str, str]]:
        """The acts that would change something, and what each would do."""
        state = self.seen.state
        pointless = {
            "clear": state not in _OVERRIDES,
            "close": state is CircuitState.CLOSED and not self.seen.failures,
            "open": state is CircuitState.FORCED_OPEN,
            "disable": state is CircuitState.DISABLED,
        }
        return [(act, would) for act, (_, would) in _ACTS.items() if not pointless[act]]


def read_circuits(app: Celery) -> Sequence[CircuitView]:
    """Read all circuits of an app, those first that keep calls away. Raises `LogUnavailable`."""
    waits = CircuitWaits.read(app, most=_LOOKED_AT)
    found = [
        CircuitView(
            name=each.name,
            seen=each.snapshot(),
            events=each.history(limit=_SHOWN)[::-1],
            waiting=waits.counts.get(each.name, 0),
            is_cut=waits.is_cut,
        )
        for each in _circuits(app)
    ]
    return sorted(found, key=lambda each: (each.is_calm, each.name))


def are_away(app: Celery) -> Sequence[str]:
    """Name the circuits that let no call through. Raises `LogUnavailable`."""
    return [each.name for each in _circuits(app) if each.snapshot().state in _AWAY]


def take_over(
    app: Celery, name: str, act: str, *, lasts: float | None = None, **signed: Any
) -> bool:
    """Act on a circuit. Returns whether there is one of that name, and such an act.

    lasts: seconds after which an opening ends by itself.
    signed: ``by`` and ``why``.

    Raises ``ValueError`` for a time that is too long.
    """
    found = {each.name: each for each in _circuits(app)}
    if name not in found or act not in _ACTS:
        return False
    how = {"duration": lasts} if act == "open" and lasts else {}
    _ACTS[act][0](found[name], **how, **signed)
    return True


def _circuits(app: Celery) -> Sequence[Control]:
    is_shared = all(breaker.options.scope == "shared" for breaker in breakers())
    return circuits(() if is_shared else log_of(app).workers.live_nodes())
