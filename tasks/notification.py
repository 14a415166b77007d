"""The notifier: tell a customer that the order is on its way."""

from pydantic import BaseModel

from amends import activity
from tasks import gateway
from tasks.pace import STEP
from tasks.shipping import Shipment


class Notification(BaseModel):
    """Whom to tell of which shipment."""

    order_id: str
    user_id: str
    shipment_id: str


class ParcelsNotification(BaseModel):
    """Whom to tell of which shipments."""

    order_id: str
    user_id: str
    shipments: list[Shipment]


@activity(queue="notifications", start_to_close_timeout=10.0, retry=STEP)
def send_notification(notification: Notification) -> None:
    """Tell the customer. It cannot be taken back, so it comes last."""
    _notify(notification, f"shipment {notification.shipment_id}")


@activity(queue="notifications", start_to_close_timeout=10.0, retry=STEP)
def notify_of_parcels(notification: ParcelsNotification) -> None:
    """Tell the customer of every parcel."""
    ids = [shipment.shipment_id for shipment in notification.shipments]
    _notify(notification, f"{len(ids)} parcels: {', '.join(ids)}")


def _notify(notification: Notification | ParcelsNotification, sent_as: str) -> None:
    message = f"Your order {notification.order_id} is on its way as {sent_as}."
    body = {"user_id": notification.user_id, "order_id": notification.order_id, "message": message}
    gateway.post("/notifications", body)
