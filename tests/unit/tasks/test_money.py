"""What is an amount of money, and what is none."""

from decimal import Decimal

import pytest

from tasks.money import in_cents


@pytest.mark.parametrize(
    ("amount", "cents"), [("39.970", "39.97"), ("40", "40.00"), ("1E+1", "10.00"), ("0.01", "0.01")]
)
def test_the_same_number_is_the_same_amount(amount, cents):
    assert str(in_cents(Decimal(amount))) == cents


@pytest.mark.parametrize(
    "amount", ["39.975", "0", "-0", "-1", "NaN", "Infinity", "1E+16", "9" * 30, "0.001"]
)
def test_what_is_no_sum_of_money_is_refused(amount):
    with pytest.raises(ValueError, match="is no amount above 0 in whole cents"):
        in_cents(Decimal(amount))
