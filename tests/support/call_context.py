"""Being in the call of an activity, without one."""

from collections.abc import Iterator
from contextlib import contextmanager

from amends import Context
from amends.activities.context import CURRENT


@contextmanager
def entered(context: Context) -> Iterator[None]:
    """Make this the context of what runs inside."""
    token = CURRENT.set(context)
    try:
        yield
    finally:
        CURRENT.reset(token)
