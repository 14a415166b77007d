"""Wrong steps where steps are written, in a saga's list, for `test_typing.py`; nothing runs this."""

from amends import Each, Parallel, Saga, Step
from tests.unit.typing.wrong_uses import (
    Order,
    Result,
    book,
    cancel_booking,
    charge,
    charge_other,
    charge_otherwise,
    find_booking,
    find_charge,
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
        Step(charge, name="verified", compensation=refund, verify=find_charge),
        Step(charge, name="misread", verify=find_booking),  # refused: misc
        Parallel(
            Step(charge, name="one", compensation=refund),
            [
                Step(charge, name="two", compensation=refund),
                Step(book, name="three", compensation=refund),  # refused: misc
            ],
            Step(charge, name="four", verify=find_booking),  # refused: misc
        ),
        Each("input.items", Step(book, compensation=cancel_booking)),
        Each("input.items", Step(book, compensation=refund)),  # refused: misc
        Each("input.items", charge),  # refused: arg-type
    ],
)
