"""The errors of the library.

SagaError
├── DefinitionError      a saga, step or activity is defined wrongly
├── ConfigurationError   a setting is missing, unknown or wrong
├── SagaAlreadyStarted   this id belongs to a saga with another input
├── UnknownSaga          no saga has this id
├── UnknownSchedule      no schedule has this name
├── SagaStuck            an operator is needed
├── ActRefused           the saga is not where the act expects it
├── UnreadableData       what the log stores, the code of this process cannot read
├── OutboxUnavailable    the outbox's database did not take or give what was asked of it
├── LogUnavailable       the saga log could not be reached, or did not answer
├── BarrierBusy          another transaction was in the way of a receiver's barrier
├── CircuitOpenError     the circuit breaker let no call through
├── ActivityError        stands for what an activity raised where Celery cannot have the error itself
├── Refused              the service said no: nothing was done, and asking again is useless
└── NotDone              nothing was done, certainly: try again

An activity raises `Refused` (or a subclass that names the refusal), `NotDone`, or anything else;
anything else means that its effect is unknown. All can be rebuilt from their ``.args``: Celery and pickle do.
"""

import difflib
from collections.abc import Iterable, Sequence
from math import inf


def did_you_mean(name: str, known: Iterable[str], *, prefix: str = "") -> str:
    """Give the end of a sentence about an unknown name: the known one that looks most like it.

    prefix: what all names begin with, where neither `name` nor `known` has it.
    """
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {prefix + close[0]!r}?" if close else ""


class SagaError(Exception):
    """The base of all errors of this library."""


class DefinitionError(SagaError):
    """A saga, step or activity is defined wrongly; the message says what and where."""


class ConfigurationError(SagaError):
    """A setting is missing, unknown or wrong, or the Redis that it names is none for the log; the message says what to do."""


class SagaAlreadyStarted(SagaError):  # noqa: N818 - the name says what happened
    """The id belongs to a saga that was started with another definition or input."""

    def __init__(self, saga_id: str, name: str) -> None:
        super().__init__(saga_id, name)
        self.saga_id = saga_id
        self.name = name

    def __str__(self) -> str:
        return (
            f"saga {self.saga_id!r} was already started, as {self.name!r}, and not with this definition and input;"
            " start this one under another saga_id"
        )


class UnknownSaga(SagaError):  # noqa: N818 - the name says what happened
    """No saga has this id: it was never started, or was removed after its end. `told` is what the log says of it, or ''."""

    def __init__(self, saga_id: str, told: str = "") -> None:
        super().__init__(saga_id, told)
        self.saga_id = saga_id
        self.told = told

    def __str__(self) -> str:
        unheard = f"there is no saga {self.saga_id!r} in the log; is amends_backend the right one?"
        return self.told or unheard


class UnknownSchedule(SagaError):  # noqa: N818 - the name says what happened
    """No schedule has this name: no worker of this log has defined one."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return (
            f"there is no schedule {self.name!r} in the log: a worker writes those that its app defines when it starts;"
            " is one running, and does it import the module?"
        )


class SagaStuck(SagaError):  # noqa: N818 - the name says what happened
    """A saga is stuck and waits for an operator."""

    def __init__(self, saga_id: str, reason: str) -> None:
        super().__init__(saga_id, reason)
        self.saga_id = saga_id
        self.reason = reason

    def __str__(self) -> str:
        return f"saga {self.saga_id!r} is stuck: {self.reason}; it waits for an operator"


class ActRefused(SagaError):  # noqa: N818 - the name says what happened
    """An act came too late or too early: the saga has moved. Nothing was done."""

    def __init__(self, saga_id: str, act: str, reason: str) -> None:
        super().__init__(saga_id, act, reason)
        self.saga_id = saga_id
        self.act = act
        self.reason = reason

    def __str__(self) -> str:
        return f"cannot {self.act} saga {self.saga_id!r}: {self.reason}"


class UnreadableData(SagaError):  # noqa: N818 - the name says what happened
    """The code of this process cannot read what the log stores: older or newer code wrote it. Nothing was called."""


class OutboxUnavailable(SagaError):  # noqa: N818 - the name says what happened
    """The outbox's database failed; the message says at what, and why. A start is not written: roll back, and repeat it."""


class LogUnavailable(SagaError):  # noqa: N818 - the name says what happened
    """The saga log could not be reached, refused, or did not answer.

    A read may be repeated. A start or an act may be in the log all the same unless it was refused, for an answer can be
    lost: repeated with the ids below it is the same start, or the same act, and gets its first answer.

    reason: what the log's Redis, or the way to it, said.
    saga_id: id of the saga that was to be started or acted on; None for a read, and after `start_many`.
    act_id: id of the act; None unless it was one.
    saga_ids: after `start_many`, the ids of its inputs, in order, as far as the inputs were read.
    answered: for how many of them, from the first on, the log had answered before.
    refused: whether the log's Redis said that it wrote nothing.
    """

    def __init__(
        self,
        reason: str = "",
        saga_id: str | None = None,
        act_id: str | None = None,
        saga_ids: Sequence[str] = (),
        answered: int = 0,
        refused: bool = False,  # noqa: FBT001, FBT002 - an error is rebuilt from its args
    ) -> None:
        super().__init__(reason, saga_id, act_id, saga_ids, answered, refused)
        self.reason = reason
        self.saga_id = saga_id
        self.act_id = act_id
        self.saga_ids = saga_ids
        self.answered = answered
        self.refused = refused

    def __str__(self) -> str:
        if self.act_id is not None:
            fate = "is not" if self.refused else "may be"
            return (
                f"{self.reason}; the act on saga {self.saga_id!r} {fate} in the log:"
                f" repeat it with the act id {self.act_id}, and it is done once"
            )
        if self.saga_id is not None:
            fate = "was not" if self.refused else "may have been"
            return (
                f"{self.reason}; saga {self.saga_id!r} {fate} started:"
                " repeat the start with this saga_id, and it is started once"
            )
        if self.saga_ids:
            return (
                f"{self.reason}; {self.answered} of {len(self.saga_ids)} starts were answered, the others may be in the"
                " log: repeat the call with this error's saga_ids, and each is started once"
            )
        return self.reason


class BarrierBusy(SagaError):  # noqa: N818 - the name says what happened
    """Another transaction was in the way of a barrier's row. Roll back, and repeat the whole transaction.

    It says nothing of the key's effect: the other transaction may have made it.
    reason: what the database said.
    key: idempotency key of the row; None for a statement on many rows.
    """

    def __init__(self, reason: str, key: str | None = None) -> None:
        super().__init__(reason, key)
        self.reason = reason
        self.key = key

    def __str__(self) -> str:
        row = "rows" if self.key is None else f"row of {self.key!r}"
        return (
            f"another transaction was in the way of the barrier's {row} ({self.reason}):"
            " roll back, and repeat the whole transaction"
        )


class CircuitOpenError(SagaError):
    """The circuit breaker let no call through. `state` is the breaker's, `retry_after` the seconds until another call is worth it."""

    def __init__(self, name: str, state: str, retry_after: float) -> None:
        super().__init__(name, state, retry_after)
        self.name = name
        self.state = state
        self.retry_after = retry_after

    def __str__(self) -> str:
        if self.state == "forced_open":
            return f"circuit {self.name!r} is forced open: an operator lets no call through"
        return f"circuit {self.name!r} is {self.state}; try again in {self.retry_after:.1f} s"


class ActivityError(SagaError):
    """Stands for what an activity raised, where Celery cannot have the error itself.

    Celery would end its worker by a ``MemoryError``, a thread of its pool by ``SystemExit``, and cannot pass on what cannot
    be pickled or printed. The saga log names the error that was raised. `error_type` is the name of its class, `message` what it says.
    """

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(error_type, message)
        self.error_type = error_type
        self.message = message

    def __str__(self) -> str:
        return f"{self.error_type}: {self.message}"


class Refused(SagaError):  # noqa: N818 - an answer, not a fault
    """The service said no: nothing was done, and the same request will be refused again."""


class NotDone(SagaError):  # noqa: N818 - an answer, not a fault
    """Certainly nothing happened, as with a refused connection; it may be tried again.

    `retry_after` is the shortest wait before the next attempt, in seconds.
    """

    retry_after: float = 0.0  # also of a subclass that does not call this class's __init__

    def __init__(self, message: str = "", retry_after: float = 0.0) -> None:
        if not isinstance(retry_after, int | float) or not 0 <= retry_after < inf:
            raise ValueError(f"NotDone: retry_after is {retry_after!r}, not 0 or more seconds")
        super().__init__(message, retry_after)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""
