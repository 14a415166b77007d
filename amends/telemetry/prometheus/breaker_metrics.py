"""The metrics of circuit breakers."""

from typing import Final

from amends.telemetry.prometheus.metric import define

STATE: Final = define(
    "gauge",
    "amends_breaker_state",
    *("breaker", "state"),
    tells="1 for the state that callers of the circuit breaker meet, else 0.",
)
RETRY_AFTER: Final = define(
    "gauge",
    "amends_breaker_retry_after_seconds",
    "breaker",
    tells="Time until the circuit breaker may let a call through; 0 if it may now.",
)
FAILURES: Final = define(
    "gauge",
    "amends_breaker_failures",
    "breaker",
    tells="Failures in a row at a closed circuit breaker.",
)
OPENINGS: Final = define(
    "gauge",
    "amends_breaker_openings",
    "breaker",
    tells="How often in a row the circuit breaker opened; 0 once it closes.",
)
LATE_RESULTS: Final = define(
    "counter",
    "amends_breaker_late_results_total",
    "breaker",
    tells="Results that came too late to count for the circuit breaker.",
)
REFUSED: Final = define(
    "counter",
    "amends_breaker_refused_total",
    "breaker",
    tells="Calls that the circuit breaker kept away.",
)

OF_BREAKERS: Final = (STATE, RETRY_AFTER, FAILURES, OPENINGS, LATE_RESULTS, REFUSED)
"""All of them."""
