"""A record of a saga, read from the fields of the saga's hash: the only place that knows them by their letters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from pydantic_core import from_json

from amends.definition.states import RecordState
from amends.errors import UnreadableData
from amends.log.owner import Owner

_BRANCH: Final = re.compile(r"p\d+\.\d+")  # a field of the saga's hash


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a record has used, or had used when an operator last renewed its budget."""

    attempts: int = 0
    deaths: int = 0
    unregistered: int = 0

    def since(self, renewed: Self) -> "Budget":
        """Return what was used since that renewal."""
        return Budget(
            attempts=self.attempts - renewed.attempts,
            deaths=self.deaths - renewed.deaths,
            unregistered=self.unregistered - renewed.unregistered,
        )


@dataclass(frozen=True, kw_only=True)
class HeldClaim:
    """The claim of a record that runs; times are seconds since 1970 by the log's clock."""

    token: str
    owner: Owner | None  #: None for what runs without a worker.
    claimed_at: float
    given_up_at: float


@dataclass(frozen=True, kw_only=True)
class Record:
    """A record as the log has it; times are seconds since 1970 by the log's clock."""

    state: RecordState
    was_touched: bool  #: False until it is claimed, or the switch makes it pending.
    used: Budget  #: Attempts, deaths of owners and unregistered messages since the start.
    renewed: Budget  #: `used` when an operator last renewed the budget.
    worker_deaths: (
        int  #: Claims that ended with their whole worker, up to when the record runs apart.
    )
    tries: int  #: Claims that ended unfinished.
    is_unknown: bool  #: Whether an attempt ended whose effect is unknown.
    waits_until: (
        float | None
    )  #: When it may run again, or its wait ends; None unless it waits for that.
    signals: int  #: Those that came for it, if it is a wait.
    output: str | None  #: JSON.
    error: str | None  #: Type and message of its last error.
    frame: str | None  #: Where the application raised it: ``tasks/payment.py:87 _charge``.
    circuit: str | None  #: The circuit breaker that did not let its last call through.
    claim: HeldClaim | None  #: None unless it runs.

    @property
    def attempts(self) -> int:
        """Attempts since the start: those that were spent, and those whose process or worker died."""
        return self.used.attempts + self.used.deaths + self.worker_deaths

    @classmethod
    def read(cls, fields: Mapping[str, str], code: str) -> Self:
        """Read a record of a saga.

        fields: the saga's hash, as `open_fields` returns it.
        code: the record's name in there, see `Itinerary.code_of`.
        """

        def field(letter: str) -> str | None:
            return fields.get(f"{code}.{letter}")

        state = field("s")
        renewed = [int(each) for each in (field("b") or "0,0,0").split(",")]
        return cls(
            state=_state(state or "pending"),
            was_touched=state is not None,
            used=Budget(
                attempts=int(field("a") or 0),
                deaths=int(field("p") or 0),
                unregistered=int(field("k") or 0),
            ),
            renewed=Budget(attempts=renewed[0], deaths=renewed[1], unregistered=renewed[2]),
            worker_deaths=int(field("q") or 0),
            tries=int(field("r") or 0),
            is_unknown=field("u") is not None,
            waits_until=_seconds(field("w")),
            signals=int(field("gn") or 0),
            output=field("x"),
            error=error_text(field("e")),
            frame=error_frame(field("e")),
            circuit=error_circuit(field("e")),
            claim=_claim(field("t"), field("o"), field("c"), field("l")),
        )


def _state(text: str) -> RecordState:
    try:
        return RecordState(text)
    except ValueError:
        raise UnreadableData(
            f"a newer release of amends wrote the state {text!r} of a record: upgrade amends here to read it"
        ) from None


def _claim(
    token: str | None, owner: str | None, claimed_at: str | None, given_up_at: str | None
) -> HeldClaim | None:
    at, until = _seconds(claimed_at), _seconds(given_up_at)
    if at is None or until is None:
        return None
    return HeldClaim(
        token=token or "", owner=Owner.parse(owner or ""), claimed_at=at, given_up_at=until
    )


def _seconds(ms: str | None) -> float | None:
    return None if ms is None else int(ms) / 1000


def error_text(text: str | None) -> str | None:
    """Tell people an error of the log: its type and its message."""
    if text is None:
        return None
    error = from_json(text)
    return f"{error.get('type', 'Error')}: {error.get('message', '')}"


def error_frame(text: str | None) -> str | None:
    """Return where an error of the log was raised; None for one of an earlier release, of the engine, or of a dead process."""
    if text is None:
        return None
    frame: str | None = from_json(text).get("frame")
    return frame


def located(error: str, frame: str | None) -> str:
    """Write an error on one line, with where it was raised: ``Away: nobody answers (tasks/payment.py:87 _charge)``."""
    flat = " ".join(error.split())
    return flat if frame is None else f"{flat.rstrip('.')} ({frame})"


def error_circuit(text: str | None) -> str | None:
    """Return the circuit breaker that an error of the log names; None for any other error, and for an old one."""
    if text is None:
        return None
    circuit: str | None = from_json(text).get("circuit")
    return circuit


def state_field(code: str) -> str:
    """Name the field of `open_fields` with the state of a record, or of a stage."""
    return f"{code}.s"


def open_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """Return a saga's fields without empty ones, and with what its records share as fields of each.

    The field ``states`` becomes ``<record>.s`` for each record that was touched. The field ``claim`` becomes ``.t`` (token),
    ``.o`` (owner), ``.c`` (when it was claimed) and ``.l`` (when it is given up) of the record that runs.
    So it is with each branch. The rest of the schema is in ``lua/saga.lua``.
    """
    opened = {name: value for name, value in fields.items() if value}
    opened |= _opened(opened.pop("states", ""), opened.pop("claim", ""))
    for branch in filter(_BRANCH.fullmatch, fields):
        _, _, _, states, claim = opened[branch].split("|", 4)
        opened |= _opened(states, claim)
    return opened


def _opened(states: str, claim: str) -> dict[str, str]:
    opened = {}
    for code, state in (each.split("=") for each in states.split(",") if each):
        opened[f"{code}.s"] = state
    if claim:
        code, _, claimed_at, given_up_at, token, owner = claim.split("|", 5)
        of = {"t": token, "o": owner, "c": claimed_at, "l": given_up_at}
        opened |= {f"{code}.{name}": value for name, value in of.items()}
    return opened
