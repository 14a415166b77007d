"""A saga that is found by its fields: a parcel that is packed."""

from decimal import Decimal
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from amends import Saga, Step, activity
from amends.definition.itinerary import Dispatch


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Parcel(BaseModel):
    customer: str | None = None
    size: Size = Size.SMALL
    price: Decimal | None = None
    stops: int = 0


class ParcelResult(BaseModel):
    outcome: str
    size: Size


@activity
def pack_parcel(parcel: Parcel) -> None:
    """Do nothing."""


SEARCH = {
    "customer": "input.customer",
    "size": "input.size",
    "price": "input.price",
    "stops": "input.stops",
}


def parcels(name: str, *, dispatch: Dispatch = "chain", **how: Any) -> Saga[Parcel, ParcelResult]:
    """Define the saga."""
    return Saga(
        name,
        input=Parcel,
        output=ParcelResult,
        dispatch=dispatch,
        steps=[Step(pack_parcel, compensation=None)],
        **how,
    )


parcel_saga = parcels("parcel", search=SEARCH)
inline_parcel_saga = parcels("inline_parcel", search=SEARCH, dispatch="inline")
plain_parcel_saga = parcels("plain_parcel")
