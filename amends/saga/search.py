"""Find sagas by their search fields."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, overload

from celery.app import app_or_default
from pydantic import BaseModel

from amends.asynchronous.calls import in_thread
from amends.definition.serialization import validated
from amends.errors import did_you_mean
from amends.log.keys import SagaId, id_text
from amends.log.queries.listing import store_of
from amends.log.queries.search import find_ids
from amends.saga.definition import Saga
from amends.saga.handle import Handle

Output = TypeVar("Output", bound=BaseModel)


@overload
def find(
    *,
    saga: Saga[Any, Output],
    limit: int = ...,
    after: Handle[Any] | SagaId | None = ...,
    **where: object,
) -> list[Handle[Output]]: ...


@overload
def find(
    *,
    saga: str | None = ...,
    limit: int = ...,
    after: Handle[Any] | SagaId | None = ...,
    **where: object,
) -> list[Handle[dict[str, Any]]]: ...


def find(
    *,
    saga: Saga[Any, Any] | str | None = None,
    limit: int = 100,
    after: Handle[Any] | SagaId | None = None,
    **where: object,
) -> list[Handle[Any]]:
    """Find sagas by the fields that their definitions name in ``search=``, and return their handles, the last started first.

    saga: definition of the sagas, or its name; None for any. With a definition, `wait` of a handle returns its output's
        model, else a plain dict.
    limit: how many at most.
    after: the last saga of the page before, or its id: the handles go on with the one that was started before it.
    where: values of search fields, all of which a saga has: ``find(customer="ada", country="NO")``. A text is found as it
        was given, letter by letter; a number by its value, however it is written; True as ``true``.

    The time depends on `limit`, not on how many sagas have the value; with several fields, on how many have the rarest of the
    values. A saga without `search` in the code that started it is not found.

    Raises ``ValueError`` for no field, one that the definition does not have, or a value that none can have,
    ``TypeError`` for a value that is neither a text nor a number, `UnknownSaga` if the saga `after` is gone, and `LogUnavailable`.
    """
    if not where:
        raise ValueError("find by which field? Name one, as in amends.find(customer='ada')")
    if limit < 1:
        raise ValueError(f"limit is {limit}, not 1 or more")
    output: Callable[[dict[str, Any]], Any] = dict
    if isinstance(saga, Saga):
        _check_fields(saga, where)
        output, saga = partial(validated, saga.output), saga.name
    last = after.id if isinstance(after, Handle) else after
    ids = find_ids(
        store_of(app_or_default()),
        list(where.items()),
        saga=saga,
        limit=limit,
        after=None if last is None else id_text(last),
    )
    return [Handle(saga_id, output) for saga_id in ids]


@overload
async def find_async(
    *,
    saga: Saga[Any, Output],
    limit: int = ...,
    after: Handle[Any] | SagaId | None = ...,
    **where: object,
) -> list[Handle[Output]]: ...


@overload
async def find_async(
    *,
    saga: str | None = ...,
    limit: int = ...,
    after: Handle[Any] | SagaId | None = ...,
    **where: object,
) -> list[Handle[dict[str, Any]]]: ...


async def find_async(
    *,
    saga: Saga[Any, Any] | str | None = None,
    limit: int = 100,
    after: Handle[Any] | SagaId | None = None,
    **where: object,
) -> list[Handle[Any]]:
    """`find` for a coroutine."""
    how: dict[str, Any] = {"saga": saga, "limit": limit, "after": after, **where}
    found: list[Handle[Any]] = await in_thread(find, **how)
    return found


def _check_fields(saga: Saga[Any, Any], where: dict[str, object]) -> None:
    known = saga.itinerary.search
    for name in where.keys() - known.keys():
        has = f"it has {', '.join(known)}" if known else "say search= in its definition"
        raise ValueError(
            f"saga {saga.name!r} has no search field {name!r}{did_you_mean(name, known)}; {has}"
        )
