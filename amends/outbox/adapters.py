"""Which library a session, a connection or a URL is of, found without an import of it."""

import os
from typing import Any, Final

from celery import Celery

from amends.backend.settings import settings_of
from amends.barrier.adapters import is_async, libraries_of
from amends.errors import ConfigurationError
from amends.outbox import django_outbox, sqlalchemy_outbox
from amends.outbox.database import Database
from amends.outbox.django_database import django_database_at
from amends.outbox.entry import Entry
from amends.outbox.sqlalchemy_database import sqlalchemy_database_at

_BY_DJANGO: Final = "django"
_BY_VARIABLE: Final = "env"


def write_in(owner: Any, app: Celery, entry: Entry) -> Any:
    """Write an entry through a session or connection of SQLAlchemy's; for one of its asyncio extension return an awaitable.

    Raises ``TypeError`` for anything else, and what `sqlalchemy_outbox.write_in` does.
    """
    libraries = libraries_of(owner)
    if "sqlalchemy" not in libraries:
        hint = "; for Django there is start_on_commit" if "django" in libraries else ""
        raise TypeError(
            f"start_in takes a session or connection of SQLAlchemy, not {owner!r}{hint}"
        )
    owner = owner.registry() if hasattr(owner, "registry") else owner  # a scoped_session
    how: dict[str, Any] = {"namespace": _namespace_of(app)}
    if is_async(owner):
        return owner.run_sync(sqlalchemy_outbox.write_in, app, entry, **how)
    return sqlalchemy_outbox.write_in(owner, app, entry, **how)


def write_on_commit(using: str | None, app: Celery, entry: Entry) -> None:
    """Write an entry in the transaction of a Django alias. Raises what `django_outbox.write_on_commit` does."""
    django_outbox.write_on_commit(using, app, entry, namespace=_namespace_of(app))


def database_of(app: Celery) -> Database | None:
    """Return the database at `amends_outbox_url`, or None if that is not set. Raises `ConfigurationError`."""
    url = outbox_url_of(app)
    if url is None:
        return None
    alias = alias_in(url)
    return sqlalchemy_database_at(url) if alias is None else django_database_at(alias)


def outbox_url_of(app: Celery) -> str | None:
    """Return `amends_outbox_url`, or what the environment variable has that it names. Raises `ConfigurationError`."""
    url = settings_of(app).outbox_url
    if url is None:
        return None
    scheme, _, rest = url.partition("://")
    if scheme != _BY_VARIABLE:
        return url
    if found := os.environ.get(rest):
        return found
    raise ConfigurationError(
        f"amends_outbox_url is env://{rest}, and the environment variable {rest} is not set here"
    )


def alias_in(url: str) -> str | None:
    """Return the alias of Django's that the URL of an outbox names; None if it is SQLAlchemy's."""
    scheme, _, rest = url.partition("://")
    return rest if scheme == _BY_DJANGO else None


def _namespace_of(app: Celery) -> str:
    return settings_of(app).namespace or ""
