"""The permit of one guarded call."""

from amends.breaker.classification import classify
from amends.breaker.gate import Gate
from amends.breaker.options import Options
from amends.breaker.results import Admitted, Circuit
from amends.breaker.states import Outcome


class Permit:
    """Lets one call be made, and takes what came of it, once: what is said after that is not heard.

    Its methods raise nothing, be Redis away or not.
    """

    def __init__(
        self, gate: Gate, circuit: Circuit, admitted: Admitted, *, options: Options
    ) -> None:
        self._gate = gate
        self._circuit = circuit
        self._admitted = admitted
        self._options = options
        self._is_used = False

    @property
    def token(self) -> str:
        """What the call is known by where it is a probe, else ''."""
        return self._admitted.token

    @property
    def is_probe(self) -> bool:
        """Whether the call is to show that the service is back."""
        return bool(self._admitted.token)

    def success(self) -> None:
        """Say that the service did what it should."""
        self._record(Outcome.SUCCESS, None)

    def failure(self, error: BaseException | None = None) -> None:
        """Say that it did not. The error's ``retry_after``, if it has one, is how long it is left alone."""
        self._record(Outcome.FAILURE, error)

    def release(self) -> None:
        """Say that the call tells nothing about the service, or was not made."""
        self._record(Outcome.NEUTRAL, None)

    def record(self, error: BaseException | None) -> Outcome:
        """Say how the call ended, and let the breaker's options judge it; None is a return."""
        outcome = classify(error, self._options)
        self._record(outcome, error)
        return outcome

    def _record(self, outcome: Outcome, error: BaseException | None) -> None:
        if self._is_used:
            return
        self._is_used = True
        self._gate.record(self._circuit, self._admitted, outcome, error)
