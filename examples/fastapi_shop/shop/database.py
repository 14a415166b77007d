"""The tables, and the sessions that API and activities open. ``python -m shop.database`` makes the tables."""

import asyncio
import os
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool

from amends.barrier.sqlalchemy_table import barrier_table
from amends.outbox.sqlalchemy_table import outbox_table

# The driver takes what is not named here from PGHOST, PGPORT, PGUSER and PGPASSWORD.
DATABASE_URL = f"postgresql+psycopg:///{os.environ.get('PGDATABASE', 'shop')}"

# A connection belongs to the loop that opened it. A server has one loop, each process of a worker another, and a
# rehearsal its own: without a pool none gets the connection of another.
engine = create_async_engine(DATABASE_URL, poolclass=NullPool)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """The tables, with those of the outbox and the barrier."""


outbox_table(Base.metadata)
barrier_table(Base.metadata)


class Product(Base):
    """A product, and how many of it are left."""

    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    price: Mapped[int]  # cents
    stock: Mapped[int]


class State(StrEnum):
    """How far an order is."""

    PLACED = "placed"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class Order(Base):
    """An order. Its saga has the same id, and moves it from one state to the next."""

    __tablename__ = "orders"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    quantity: Mapped[int]
    card: Mapped[str]
    cents: Mapped[int]
    state: Mapped[State] = mapped_column(default=State.PLACED)


class Payment(Base):
    """What was charged to a card. In a real shop this is the payment provider's, behind an API."""

    __tablename__ = "payments"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    cents: Mapped[int]


async def create_tables():
    """Make the tables that are missing. In production: a migration."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


if __name__ == "__main__":
    asyncio.run(create_tables())
