"""Amounts of money as the payment service takes them: two decimals, above zero."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

from pydantic import AfterValidator

_CENT: Final = Decimal("0.01")
_LARGEST: Final = Decimal(10) ** 16


def in_cents(amount: Decimal) -> Decimal:
    """Return the same number with two decimals, as ``39.970`` is 39.97.

    Raises ``ValueError`` for an amount that is no sum of money: a fraction of a cent, 0 or below, one without bounds.
    """
    try:
        cents = amount.quantize(_CENT)
    except InvalidOperation:  # not a number, or too many digits
        cents = None
    if cents is None or cents != amount or not 0 < cents < _LARGEST:
        raise ValueError(f"{amount} is no amount above 0 in whole cents")
    return cents


Amount = Annotated[Decimal, AfterValidator(in_cents)]
