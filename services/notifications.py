"""Notifications: messages to users. What was said cannot be unsaid: there is no undo."""

from http import HTTPStatus
from uuid import uuid4

from fastapi import APIRouter
from pydantic import BaseModel

from services.receipts import Call, apply_once
from services.wire import IdempotencyKey, OpenDatabase, OrderRequest, Service, Text

router = APIRouter(prefix="/notifications", tags=["notifications"])


class NotificationRequest(OrderRequest):
    """Tell a user something about an order."""

    user_id: Text
    message: Text


class Notification(BaseModel):
    """The answer to a notification."""

    notification_id: str


@router.post("", status_code=HTTPStatus.ACCEPTED)
def notify(
    request: NotificationRequest, key: IdempotencyKey, database: OpenDatabase
) -> Notification:
    """Accept the message for delivery."""
    call = Call.for_order(Service.NOTIFICATIONS, key, request)
    answer = {"notification_id": f"notification-{uuid4().hex}"}
    with database.write() as connection:
        first = apply_once(connection, call, answer)
    return Notification.model_validate(first)
