"""A sale: it charges, and ships what can be shipped."""

from typing import Final

from pydantic import BaseModel

from amends import Refused, Saga, Step, activity

charges: Final[list[str]] = []


class Sale(BaseModel):
    sale: str
    address: str = "here"


class Charge(BaseModel):
    charge: str


class Receipt(BaseModel):
    sale: str
    outcome: str
    charge: str | None


@activity
def charge_card(sale: Sale) -> Charge:
    charges.append(sale.sale)
    return Charge(charge=f"c-{sale.sale}")


@activity
def refund_card(sale: Sale, charge: Charge | None) -> None:
    charges.append(f"-{sale.sale}")


@activity
def ship(sale: Sale) -> None:
    if sale.address == "nowhere":
        raise Refused("no such address")


sale_saga = Saga(
    "sale",
    input=Sale,
    output=Receipt,
    steps=[
        Step(charge_card, compensation=refund_card),
        Step(ship, compensation=None, outcome="not_shipped"),
    ],
)
