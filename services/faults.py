"""Faults that a person or a test switches on while sagas run, per service.

They are kept in the database, so that several server processes, and one that was restarted, agree.
What each fault does to a request is in `services.injection`.
"""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Column, Connection, String, Table, Text, bindparam, delete, insert, select

from services.database import metadata
from services.wire import OpenDatabase, Service

router = APIRouter(prefix="/faults", tags=["faults"])

faults = Table(
    "faults",
    metadata,
    Column("service", String(32), primary_key=True),
    Column("switched_on", Text, nullable=False),
)

# Built once, for every request runs it.
_READ = select(faults.c.switched_on).where(faults.c.service == bindparam("of"))

Rate = Annotated[float, Field(ge=0, le=1, description="0 never, 1 always.")]


class Faults(BaseModel):
    """The faults of one service; what is not named is off."""

    # A misspelt fault would be one that never strikes.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    down: bool = Field(default=False, strict=True, description="503 at once, nothing is done.")
    error_rate: Rate = Field(default=0.0, description="500; half of them after the effect.")
    latency: float = Field(default=0.0, ge=0, description="Seconds before the call is handled.")
    lost_reply_rate: Rate = Field(default=0.0, description="POST is done, then cut off.")
    lost_undo_reply_rate: Rate = Field(default=0.0, description="DELETE is done, then cut off.")


def read_faults(connection: Connection, service: Service) -> Faults:
    """Return the faults that are switched on for one service."""
    text = connection.scalar(_READ, {"of": service})
    return Faults() if text is None else Faults.model_validate_json(text)


@router.put("/{service}")
def set_faults(service: Service, body: Faults, database: OpenDatabase) -> Faults:
    """Replace the faults of a service: those that are not named are switched off."""
    with database.write() as connection:
        connection.execute(delete(faults).where(faults.c.service == service))
        connection.execute(
            insert(faults).values(service=service, switched_on=body.model_dump_json())
        )
    return body


@router.get("")
def list_faults(database: OpenDatabase) -> dict[Service, Faults]:
    """List the faults of every service."""
    with database.read() as connection:
        return {service: read_faults(connection, service) for service in Service}


@router.delete("")
def clear_faults(database: OpenDatabase) -> dict[Service, Faults]:
    """Switch all faults off."""
    with database.write() as connection:
        connection.execute(delete(faults))
    return {service: Faults() for service in Service}
