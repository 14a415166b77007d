"""The notifier: tell a customer that the order is on its way."""

from pydantic import BaseModel

from amends import activity
from tasks import gateway
from tasks.pace import STEP


class Notification(BaseModel):
    """Whom to tell of which shipment."""

    order_id: str
    user_id: str
    shipment_id: str


@activity(queue="notifications", start_to_close_timeout=10.0, retry=STEP)
def send_notification(notification: Notification) -> None:
    """Tell the customer. It cannot be taken back, so it comes last."""
    message = (
        f"Your order {notification.order_id} is on its way as shipment {notification.shipment_id}."
    )
    body = {"user_id": notification.user_id, "order_id": notification.order_id, "message": message}
    gateway.post("/notifications", body)
