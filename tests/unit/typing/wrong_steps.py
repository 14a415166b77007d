"""Wrong steps where steps are written, in a saga's list, for `test_typing.py`; nothing runs this."""

from amends import Saga, Step
from tests.unit.typing.wrong_uses import (
    Order,
    Result,
    book,
    cancel_booking,
    charge,
    charge_other,
    charge_otherwise,
    refund,
    refund_other,
)

Saga(
    "wrong",
    input=Order,
    output=Result,
    steps=[
        Step(charge, compensation=refund),
        Step(charge_otherwise, compensation=refund_other),  # refused: misc
        Step(book, compensation=refund),  # refused: misc
        Step(charge, name="again", compensation=cancel_booking),  # refused: misc
        Step(charge, name="twice", fallback=charge_other, compensation=refund),  # refused: misc
    ],
)
