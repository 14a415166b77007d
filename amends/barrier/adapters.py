"""Which adapter a session or connection needs, found without an import of its library."""

from typing import Any

from amends.barrier.conflicts import explained
from amends.barrier.django_transaction import DjangoTransaction
from amends.barrier.sqlalchemy_transaction import SQLAlchemyTransaction
from amends.barrier.transaction import Transaction


def transaction_of(connection: Any, key: str | None = None) -> Transaction:
    """Return the open transaction of a session or connection, or of the Django alias that names one.

    key: idempotency key, for messages: a transaction that begins here may be refused its lock (``BEGIN IMMEDIATE``).

    Raises ``TypeError`` for anything else, and what the adapters and `explained` raise.
    """
    with explained(key):
        return _adapted(connection)


def _adapted(connection: Any) -> Transaction:
    libraries = libraries_of(connection)
    if isinstance(connection, str) or "django" in libraries:
        return DjangoTransaction(connection)
    if "sqlalchemy" in libraries:
        return SQLAlchemyTransaction(connection)
    raise TypeError(
        f"the barrier takes a session or connection of SQLAlchemy or Django, or Django's alias of one, not {connection!r};"
        " for Redis there is amends.barrier.RedisBarrier"
    )


def is_async(connection: Any) -> bool:
    """Tell whether it is of SQLAlchemy's asyncio extension, which runs sync code by `run_sync`."""
    return hasattr(connection, "run_sync")


def libraries_of(connection: Any) -> set[str]:
    """Name the packages that its class and its base classes are from: applications have subclasses of their own."""
    return {base.__module__.partition(".")[0] for base in type(connection).__mro__}
