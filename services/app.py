"""The application: every service under its own prefix, the faults in front of all of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from services import (
    bank,
    calls,
    external,
    faults,
    inventory,
    invoices,
    ledger,
    notifications,
    payments,
    settlements,
    shipping,
)
from services.database import Database
from services.errors import answer_errors
from services.injection import FaultInjection

MICROSERVICES = (
    inventory,
    payments,
    bank,
    invoices,
    shipping,
    notifications,
    external,
    faults,
    ledger,
    settlements,
    calls,
)


def create_app(database: Database) -> FastAPI:
    """Assemble the application on an open database, which it closes when it shuts down."""
    app = FastAPI(title="The sandbox services of the order saga", lifespan=_lifespan)
    app.state.database = database
    app.state.calls = calls.CallCounts()
    app.add_middleware(FaultInjection)
    answer_errors(app)
    for microservice in MICROSERVICES:
        app.include_router(microservice.router)
    app.add_api_route("/health", _health, tags=["health"])
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.database.close()


async def _health() -> dict[str, str]:
    """Tell that the process serves; no fault touches this."""
    return {"status": "ok"}
