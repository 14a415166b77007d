"""The input of every contender's saga, of the size that a shop's orders have."""

from typing import Any, Final

STEPS: Final = 5


def order_of(number: int) -> dict[str, Any]:
    """Return an order as JSON has it, about 450 bytes."""
    return {
        "order_id": f"order-{number}",
        "user_id": f"user-{number % 1000}",
        "items": [
            {"product_id": "the-long-way-round", "quantity": 1, "price": "18.50"},
            {"product_id": "a-book-of-hours", "quantity": 2, "price": "11.25"},
            {"product_id": "fountain-pen-fine", "quantity": 1, "price": "34.00"},
        ],
        "total_amount": "75.00",
        "currency": "EUR",
        "shipping_address": "Ada Example, 1 Long Lane, Third Floor, 1047 AB Amsterdam, The Netherlands",
        "note": "Please ring twice; the bell of the house next door sounds alike.",
    }
