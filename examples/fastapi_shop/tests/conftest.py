"""A database with a product, and a client of the API in this process."""

import asyncio

import httpx
import pytest
from sqlalchemy import delete

from shop.api import api
from shop.database import Base, Product, create_tables, sessions


@pytest.fixture(scope="session")
def anyio_backend():
    """Run ``async def`` tests by asyncio; anyio's plugin for pytest comes with FastAPI."""
    return "asyncio"


@pytest.fixture
def tea():
    """Give the id of a product of which three are left, in a database that is empty but for it."""

    async def prepare():
        await create_tables()
        async with sessions.begin() as session:
            for table in reversed(Base.metadata.sorted_tables):
                await session.execute(delete(table))
            product = Product(name="tea", price=450, stock=3)
            session.add(product)
        return product.id

    return asyncio.run(prepare())


@pytest.fixture
async def client():
    """Give a client of the API."""
    transport = httpx.ASGITransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        yield client
