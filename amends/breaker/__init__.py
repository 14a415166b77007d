"""The circuit breaker: one for all processes, through Redis, and one of its own for each where that is away."""
