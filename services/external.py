"""A service of somebody else's: it answers what it is sent, for trying a guarded call."""

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import JsonValue

from services.receipts import Call, apply_once, canonical
from services.wire import IdempotencyKey, OpenDatabase, Service

router = APIRouter(prefix="/external", tags=["external"])


@router.post("/echo")
def echo(
    body: Annotated[JsonValue, Body()], key: IdempotencyKey, database: OpenDatabase
) -> JsonValue:
    """Answer the body. Even here a key belongs to one body."""
    call = Call(service=Service.EXTERNAL, key=key, request=canonical(body))
    with database.write() as connection:
        answer: JsonValue = apply_once(connection, call, body)
    return answer
