"""How often each service was called, counted as a call comes in: before any fault, and whatever becomes of it."""

from collections import Counter

from fastapi import APIRouter, Request

from services.wire import Service

router = APIRouter(prefix="/calls", tags=["calls"])


class CallCounts:
    """Calls by service and HTTP method, since this process was started or they were cleared."""

    def __init__(self) -> None:
        self._counts: dict[Service, Counter[str]] = {service: Counter() for service in Service}

    def count(self, service: Service, method: str) -> None:
        """Count one call."""
        self._counts[service][method] += 1

    def as_dict(self) -> dict[Service, dict[str, int]]:
        """Return the counts; a method that was never used is not there."""
        return {service: dict(counts) for service, counts in self._counts.items()}

    def clear(self) -> None:
        """Count from nothing again."""
        for counts in self._counts.values():
            counts.clear()


def counts_of(request: Request) -> CallCounts:
    """Return the counts of the application that serves this request."""
    counts: CallCounts = request.app.state.calls
    return counts


@router.get("")
async def list_calls(request: Request) -> dict[Service, dict[str, int]]:
    """Tell how often each service was called, by HTTP method."""
    return counts_of(request).as_dict()


@router.delete("")
async def clear_calls(request: Request) -> dict[Service, dict[str, int]]:
    """Count from nothing again."""
    counts_of(request).clear()
    return counts_of(request).as_dict()
