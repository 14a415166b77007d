"""`CircuitBreaker`: a breaker as it is defined and used."""

import os
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import update_wrapper
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from celery import Celery
from celery.app import app_or_default

from amends.backend.settings import Settings, settings_of
from amends.breaker.classification import classify
from amends.breaker.control import Control
from amends.breaker.functions import check_function
from amends.breaker.gate import REMEMBERED, Gate
from amends.breaker.options import ErrorClasses, OnBackendError, Options
from amends.breaker.permit import Permit
from amends.breaker.redis_access import redis_access_of
from amends.breaker.scope import Scope, circuit_name
from amends.breaker.states import Outcome
from amends.breaker.worker_circuit import WorkerCircuit
from amends.errors import DefinitionError

P = ParamSpec("P")
T = TypeVar("T")

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

# The blocks that the current thread or task is in. A generator may leave them out of order.
_entered: ContextVar[tuple[tuple["CircuitBreaker", Permit], ...]] = ContextVar(
    "amends_breakers_entered", default=()
)


class CircuitBreaker(Control):
    """A circuit breaker: stops calls to a service that is down, in all processes that define it.

    name: the breaker's name in the Redis of the current Celery app's ``amends_backend``.
    failure_on: error classes that are failures of the service.
    success_on: error classes that show that the service lives, as a return does. Of two classes that fit, the
        nearer to the error's own decides. All other errors are neutral.
    failure_threshold: failures in a row that open the circuit.
    failure_window: longest time, in seconds, that those failures may take; None is no limit.
    reset_timeout: seconds that the circuit is open, unless the error has a ``retry_after`` above 0.
    reset_timeout_multiplier: factor on `reset_timeout` for each further opening in a row.
    max_reset_timeout: upper bound of that time and of a ``retry_after``, in seconds.
    reset_jitter: share by which that time may be longer, at random.
    half_open_max_calls: probes at a time in the half-open circuit.
    success_threshold: successful probes that close it; one failure opens it again.
    probe_lease: seconds until the place of a probe whose process was killed is given to another; longer than the
        longest call.
    on_backend_error: while Redis is away, ``"local"`` has a circuit of this process with the same options,
        ``"allow"`` lets every call through, ``"reject"`` none.
    scope: ``"shared"`` (the default) is one circuit for all processes. With ``"worker"`` each worker has its own, so that
        a host that alone fails does not open it for the others; outside of workers each host has one.

    Raises `DefinitionError` for invalid options, and for another breaker of this name.
    """

    def __init__(  # noqa: PLR0913 - each is an option, and none travels far
        self,
        name: str,
        *,
        failure_on: ErrorClasses,
        success_on: ErrorClasses = (),
        failure_threshold: int = 3,
        reset_timeout: float = 60.0,
        half_open_max_calls: int = 1,
        success_threshold: int = 1,
        reset_timeout_multiplier: float = 1.0,
        max_reset_timeout: float = 600.0,
        reset_jitter: float = 0.0,
        failure_window: float | None = None,
        probe_lease: float = 60.0,
        on_backend_error: OnBackendError = "local",
        scope: Scope = "shared",
    ) -> None:
        self.name = name
        self.options = Options(
            failure_on=failure_on,
            success_on=success_on,
            failure_threshold=failure_threshold,
            reset_timeout=reset_timeout,
            half_open_max_calls=half_open_max_calls,
            success_threshold=success_threshold,
            reset_timeout_multiplier=reset_timeout_multiplier,
            max_reset_timeout=max_reset_timeout,
            reset_jitter=reset_jitter,
            failure_window=failure_window,
            probe_lease=probe_lease,
            on_backend_error=on_backend_error,
            scope=scope,
        )
        _check_name(name)
        self.options.check(name)
        self._gates: dict[tuple[int, str, bool, str | None, str], Gate] = {}
        self._last: tuple[Celery, int, str, Gate] | None = None
        self._first = _defined.setdefault(name, self)  # lives as long as any object of its name
        self._join(self._first)

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.name}>"

    def _join(self, first: "CircuitBreaker") -> None:
        """Be one more object for the breaker of this name, if there is one."""
        differences = self.options.differences(first.options)
        if differences:
            raise DefinitionError(
                f"circuit breaker {self.name!r} is defined twice: {', and '.join(differences)};"
                " define it once and import it, or give this one a name of its own"
            )
        self._gates = first._gates  # noqa: SLF001 - of its own class

    # Calls

    def acquire(self, *, token: str | None = None, lease: float | None = None) -> Permit:
        """Ask for a permit to make one call, which has to be told the result.

        token: name of the call for `report_killed`; random by default. The same token gets the same permit.
        lease: seconds until a probe's place is given to another, by default `probe_lease`.

        Raises `CircuitOpenError`.
        """
        gate = self._gate()
        circuit, admitted = gate.acquire(token, lease or self.options.probe_lease)
        return Permit(gate, circuit, admitted, options=self.options)

    def classify(self, error: BaseException | None) -> Outcome:
        """Classify the error of a call as failure, success or neutral; None is a return.

        Celery's `Retry` is classified by the error behind it; `Ignore`, `Reject` and an open circuit are neutral.
        """
        return classify(error, self.options)

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` under a permit. Raises `CircuitOpenError`, and the errors of the call unchanged."""
        check_function(function, self.name)
        return self._guard(function, args, kwargs)

    def __call__(self, function: Callable[P, T], /) -> Callable[P, T]:
        """Guard every call of a function: a decorator."""
        check_function(function, self.name)

        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            return self._guard(function, args, kwargs)

        return update_wrapper(guarded, function)

    def _guard(
        self, function: Callable[..., T], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> T:
        permit = self.acquire()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            permit.record(error)
            raise
        permit.success()
        return result

    def __enter__(self) -> Permit:
        permit = self.acquire()
        _entered.set((*_entered.get(), (self, permit)))
        return permit

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        entered = _entered.get()
        last = max(k for k, (breaker, _) in enumerate(entered) if breaker is self)
        _entered.set(entered[:last] + entered[last + 1 :])
        entered[last][1].record(error)

    def of(self, worker: str) -> "WorkerCircuit":
        """Return the circuit of one worker, to be read and taken over.

        worker: what Celery calls it, such as ``celery@host-7``.

        Raises `DefinitionError` for a breaker that all workers share.
        """
        if self.options.scope == "shared":
            raise DefinitionError(f"circuit breaker {self.name!r} is one for all workers")
        name = circuit_name(self.name, "worker", worker)
        return WorkerCircuit(name, self.options, lambda settings: self._open_gate(settings, name))

    def _gate(self) -> Gate:
        # An app's settings are read once: to look into them takes a tenth of what a guarded call costs.
        app, circuit = app_or_default(), circuit_name(self.name, self.options.scope)
        last, pid = self._last, os.getpid()
        if last is None or last[0] is not app or last[1] != pid or last[2] != circuit:
            last = self._last = (app, pid, circuit, self._open_gate(settings_of(app), circuit))
        return last[3]

    def _open_gate(self, settings: Settings, circuit: str) -> Gate:
        backend, fast_path, root = settings.backend, settings.fast_path, settings.key_root
        # In memory nothing is far away, and a rehearsal's clock is not that of this process.
        remembers = 0.0 if backend.startswith("memory://") else REMEMBERED
        access = redis_access_of(backend, fast_path=fast_path)
        gate = Gate(circuit, self.options, access, root=root, remembers=remembers)
        return self._gates.setdefault((os.getpid(), backend, fast_path, root, circuit), gate)


_defined: WeakValueDictionary[str, CircuitBreaker] = WeakValueDictionary()


def breakers() -> list[CircuitBreaker]:
    """List the breakers that are defined in this process, by name."""
    return sorted(_defined.values(), key=lambda breaker: breaker.name)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionError(
            f"a circuit breaker's name is 1 to 128 letters, digits, '.', '_' and '-', and not {name!r}"
        )
